"""The judge's server for a run: started when the first stage needs it, ended with the run."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from eval_suites.judge import JudgeSpec
from harness.board import Board
from harness.home import Home
from harness.kinds import JUDGE
from harness.kinds.judge import JudgeStageSpec
from harness.stage import Runtime, Stage
from results.digest import digest


class Judging:
    """Gives every stage its Runtime; a judge stage finds in it how its judge is reached and where answers are kept.

    judge: the profile's judge, None where nothing is judged
    """

    def __init__(self, board: Board, home: Home, judge: JudgeSpec | None) -> None:
        self.board = board
        self.home = home
        self.judge = judge
        self._servers = ExitStack()
        self._urls: dict[Path, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    def runtime_for(self, stage: Stage) -> Runtime:
        """What this stage may use."""
        self.home.judge.mkdir(parents=True, exist_ok=True)
        if self.judge is None or stage.kind is not JUDGE or "rubric" not in stage.inputs:
            return Runtime(judge=self.judge, judge_answers=self.home.judge / "answers.sqlite")
        assert isinstance(stage.spec, JudgeStageSpec)
        path, content = self.board.inputs(self.board[stage])["rubric"]
        # The local judge's name says nothing of its world, so each world's answers have a file of their own.
        identity = digest({"rubric": content, "judge": stage.spec.rubric})[:16]
        url = self._url(path.parent, self.home.judge / f"requests-{identity}.jsonl")
        return Runtime(
            judge=self.judge.model_copy(update={"base_url": url}),
            judge_answers=self.home.judge / f"answers-{identity}.sqlite",
        )

    def _url(self, world: Path, log: Path) -> str:
        if world not in self._urls:
            from harness.microworld.judge_server import serve_judge

            self._urls[world] = self._servers.enter_context(serve_judge(world, log))
        return self._urls[world]
