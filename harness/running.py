"""How the commands run a board: on Ray, or here."""

from collections.abc import Callable

from harness.board import Board
from harness.judging import Judging
from harness.own_objectives import with_objectives
from harness.study import Execute


def executor(here: bool) -> Execute:
    """Runs a board's stages."""
    from harness.executor import run_here, run_on_ray

    run = run_here if here else run_on_ray

    def execute(board: Board, judging: Judging, tick: Callable[[], None]) -> None:
        run(board, with_objectives(judging.runtime_for), tick)

    return execute
