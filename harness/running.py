"""How the commands run a board: on Ray, or here."""

from collections.abc import Callable

from harness.board import Board
from harness.judging import Judging
from harness.own_objectives import RuntimeFor, with_objectives
from harness.study import Execute


def executor(here: bool, extended: Callable[[RuntimeFor], RuntimeFor] = lambda runtime_for: runtime_for) -> Execute:
    """Runs a board's stages; `extended` may add to what a stage can use."""
    from harness.executor import run_here, run_on_ray

    run = run_here if here else run_on_ray

    def execute(board: Board, judging: Judging, tick: Callable[[], None]) -> None:
        run(board, extended(with_objectives(judging.runtime_for)), tick)

    return execute
