"""The judges of a run, and an endpoint that is evaluated: how each is reached, and what they were paid."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from eval_suites.answer_store import AnswerStore
from eval_suites.engines import DEFAULT_PLACEMENT, Placement
from eval_suites.judge import JudgeIdentity, JudgeSpec
from eval_suites.spending import Cap, Spent
from harness.board import Board
from harness.home import Home
from harness.kinds.api_answers import ApiSpec
from harness.profile import Profile
from harness.stage import Runtime, Stage
from harness.suites.judged import identity_of
from results.digest import digest


def judges_of(profile: Profile) -> list[JudgeSpec]:
    """The judges of a profile's suites."""
    judges = (getattr(suite, "judge", None) for suite in profile.suites.asked.values())
    return [judge for judge in judges if isinstance(judge, JudgeSpec)]


def judge_for(stage: Stage, judges: Iterable[JudgeSpec]) -> JudgeSpec | None:
    """How the judge of a stage is reached; None where the stage asks none."""
    wanted = getattr(stage.spec, "judge", None)
    if not isinstance(wanted, JudgeIdentity):
        return None
    found = next((judge for judge in judges if identity_of(judge) == wanted), None)
    return None if found is None else found.model_copy(update={"address": wanted.address})


def is_local(stage: Stage) -> bool:
    """Whether the microworld's own judge judges this stage: it is served here, and costs nothing."""
    return "rubric" in stage.inputs


def answers_file(home: Home) -> Path:
    """Where the answers of all endpoints but the local judge are kept: what is paid to any of them is one sum.

    (Each is kept under its whole request and the address of who was asked, so none stands for another's.)
    """
    return home.judge / "answers.sqlite"


class Judging:
    """Gives every stage its Runtime; a judge stage finds in it how its judge is reached and where answers are kept.

    judges:    those of the profile
    max_usd:   the most that they and `asked` may be paid in this run, all together; None is no limit
    placement: how generation engines sit on their machine
    asked:     the endpoint that is evaluated, where one is
    """

    def __init__(
        self,
        board: Board,
        home: Home,
        judges: Sequence[JudgeSpec],
        max_usd: float | None = None,
        placement: Placement = DEFAULT_PLACEMENT,
        *,
        asked: JudgeSpec | None = None,
    ) -> None:
        self.board = board
        self.home = home
        self.judges = judges
        self.placement = placement
        self.asked = asked
        self._since = last_payment(answers_file(home))
        self._cap = None if max_usd is None else Cap(max_usd, self._since)
        self._servers = ExitStack()
        self._urls: dict[Path, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    def runtime_for(self, stage: Stage) -> Runtime:
        """What this stage may use."""
        judge = self.asked if isinstance(stage.spec, ApiSpec) else judge_for(stage, self.judges)
        if judge is None:
            return Runtime(placement=self.placement)
        self.home.judge.mkdir(parents=True, exist_ok=True)
        if not is_local(stage):
            return Runtime(judge=judge, judge_answers=answers_file(self.home), judge_cap=self._cap)
        path, content = self.board.inputs(self.board[stage])["rubric"]
        # The local judge's name says nothing of its world, so each world's answers have a file of their own.
        identity = digest({"rubric": content, "judge": getattr(stage.spec, "rubric", None)})[:16]
        url = self._url(path.parent, self.home.judge / f"requests-{identity}.jsonl")
        return Runtime(
            judge=judge.model_copy(update={"base_url": url}),
            judge_answers=self.home.judge / f"answers-{identity}.sqlite",
        )

    @property
    def paid(self) -> str:
        """What was paid since this run began, and ever in this home; empty where nobody but the local judge is asked.

        A judge that answered as several models in this run is named with them: nobody should have to look for that.
        """
        judged = [state.stage for state in self.board.states.values() if judge_for(state.stage, self.judges)]
        whom = [] if all(map(is_local, judged)) else ["judges"]
        whom += [self.asked.model] if self.asked else []
        if not whom:
            return ""
        now, ever = _spent(answers_file(self.home), self._since), _spent(answers_file(self.home))
        return "; ".join([f"{' and '.join(whom)} in this run: {now}", f"in all: {ever}", *self._changed()])

    def _changed(self) -> list[str]:
        """Whose answers of this run are of more than one model, as the endpoints reported it."""
        by_model: dict[tuple[str, str | None], list[str]] = defaultdict(list)
        if answers_file(self.home).is_file():
            with closing(AnswerStore(answers_file(self.home))) as store:
                for name, address, reported, count in store.reported(self._since):
                    by_model[name, address].append(f"{count:,} as {reported}")
        judges = {(judge.model, judge.address) for judge in map(identity_of, self.judges)}
        return [
            f"the {'judge' if model in judges else 'model'} {model[0]}{f' at {model[1]}' if model[1] else ''} changed: "
            f"it answered {' and '.join(said)}"
            for model, said in by_model.items()
            if len(said) > 1
        ]

    def _url(self, world: Path, log: Path) -> str:
        if world not in self._urls:
            from harness.microworld.judge_server import serve_judge

            self._urls[world] = self._servers.enter_context(serve_judge(world, log))
        return self._urls[world]


def _spent(answers: Path, since: int = 0) -> Spent:
    if not answers.is_file():
        return Spent()
    with closing(AnswerStore(answers)) as store:
        return store.spent(since)


def last_payment(answers: Path) -> int:
    """The number of the latest payment in a file of answers, 0 where there is none."""
    if not answers.is_file():
        return 0
    with closing(AnswerStore(answers)) as store:
        return store.last_payment
