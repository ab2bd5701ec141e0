"""A small study to record: arms, stages, scores and their items, with values that a test chooses."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean

from results.digest import Json
from results.records import Arm, CurvePoint, Profile, Stage, Status
from results.rows import Item, Score
from results.store import Store

PROFILE = Profile(
    digest="a" * 64, name="small", spec={"title": "A small study"}, created=datetime(2026, 1, 2, tzinfo=UTC)
)


def arm(name: str, seed: int = 0, status: Status = "ok", reason: str = "", **settings: Json) -> Arm:
    """An arm of PROFILE."""
    return Arm(
        profile=PROFILE.digest, name=name, method=name, seed=seed, status=status, reason=reason, settings=settings
    )


def stating(**leaderboard: Json) -> Profile:
    """PROFILE, with what its spec says of its leaderboard."""
    return PROFILE.model_copy(update={"spec": {"leaderboard": leaderboard}})


def stage(key: str, kind: str = "score") -> Stage:
    """A stage that ended well."""
    return Stage(
        key=key,
        kind=kind,
        version=1,
        spec={"limit": 5},
        status="ok",
        artifact=f"{kind}/{key}",
        content="c" * 64,
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        seconds=1.5,
        host="node-1",
        commit="0123456789abcdef",
        dirty=False,
        versions={"numpy": "2.3.5"},
        command="bridgebench run small",
    )


def mean_score(
    values: Sequence[float | None],
    *,
    suite: str = "quiz",
    metric: str = "accuracy",
    unit: str = "percent",
    n_expected: int | None = None,
    higher_is_better: bool = True,
    detail: Mapping[str, Json] | None = None,
) -> tuple[list[Score], list[Item]]:
    """A score that is the mean of its items."""
    scored = [value for value in values if value is not None]
    score = Score(
        suite=suite,
        metric=metric,
        value=fmean(scored) if scored else None,
        n_expected=len(values) if n_expected is None else n_expected,
        n_scored=len(scored),
        higher_is_better=higher_is_better,
        detail={"unit": unit, "aggregate": "mean", **(detail or {})},
    )
    items = [Item(suite=suite, metric=metric, item=f"q{i:03d}", value=value) for i, value in enumerate(values)]
    return [score], items


def stored_score(value: float | None, standard_error: float | None = None, metric: str = "fitted") -> Score:
    """A score that is no mean of items."""
    return Score(
        suite="quiz",
        metric=metric,
        value=value,
        standard_error=standard_error,
        n_expected=5,
        n_scored=5,
        detail={"unit": "percent"},
    )


def count_score(count: int, metric: str = "clamped_items") -> Score:
    """How many of 3,200 items something befell; no single item is kept."""
    detail: dict[str, Json] = {"unit": "items"}
    return Score(
        suite="training",
        metric=metric,
        value=count,
        n_expected=3200,
        n_scored=3200,
        higher_is_better=False,
        detail=detail,
    )


def record(store: Store, one: Arm, scores: Sequence[Score], items: Sequence[Item] = ()) -> None:
    """Records an arm with its score stage and what it found."""
    key = f"score-{one.name}-{one.seed}-{scores[0].suite}-{scores[0].metric}"
    store.record_profile(PROFILE)
    store.record_arm(one)
    store.record_stage(stage(key), [one])
    store.record_scores(one, key, scores, items)


def record_training(store: Store, one: Arm, steps: int = 3) -> None:
    """Records an arm's training stage with its curve: 8 examples and 100 supervised tokens a step."""
    key = f"train-{one.name}-{one.seed}"
    store.record_stage(stage(key, "train"), [one])
    points = [
        CurvePoint(step=step, examples=8 * step, tokens=100 * step, metric="loss", value=1 / step)
        for step in range(1, steps + 1)
    ]
    store.record_curve(key, points)


def fill(store: Store) -> None:
    """Four arms: the baseline and a better one over three seeds, one that lacks items, one of which a seed diverged."""
    for name, right in (("sft", 2), ("dpo", 4)):
        for seed in range(3):
            values = [100.0 * (i < right + (seed == 1)) for i in range(8)]
            record(store, arm(name, seed), *mean_score(values))
            record_training(store, arm(name, seed))
    record(store, arm("uft", 0), *mean_score([100.0, 0.0, 100.0, None, 0.0, 0.0, 100.0, 100.0]))
    record(store, arm("kto", 0), *mean_score([100.0, 0.0] * 4))
    store.record_arm(arm("kto", 1, "diverged", "loss is NaN at step 17"))


def fill_two_budgets(store: Store) -> None:
    """A base that was not trained, three arms of one comparison and one of another, over two seeds."""
    record(store, arm("base", responses=0, comparisons=[]), *mean_score([100.0, 0.0, 0.0, 0.0] * 2))
    budgets = {"sft": (3200, "short"), "dft": (3200, "short"), "una": (3200, "short"), "uft": (5600, "long")}
    for number, (name, (responses, comparison)) in enumerate(budgets.items()):
        for seed in range(2):
            values = [100.0 * (i < 1 + number + seed) for i in range(8)]
            record(store, arm(name, seed, responses=responses, comparisons=[comparison]), *mean_score(values))
