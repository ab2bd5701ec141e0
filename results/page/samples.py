"""Sample answers of an arm beside the baseline's: chosen by a rule, from the files that the study left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from results.columns import Column
from results.leaderboard import Leaderboard, Row
from results.outcomes import ArmKey, StoredScore
from results.records import Stage
from results.store import Store
from results.text import lines
from results.wording import number

FIRST, EXTREMES = 2, 2  # prompts: the first of the suite; those farthest apart, in each direction
ARMS = 40
CHARACTERS = 600
# The suite whose answers are AlpacaEval-shaped files, its items numbered by their places in them.
_SUITE, _FILE = "alpaca_eval", "outputs.json"
_WIN_RATES = ("alpaca_eval/win_rate", "alpaca_eval/win_rate_unofficial")


class _Answer(BaseModel):
    instruction: str
    output: str


_answers = TypeAdapter(list[_Answer])


@dataclass(frozen=True)
class Sample:
    """One prompt with two answers, each with its score as text; `why` it was chosen. Texts are safe to show."""

    why: str
    prompt: str
    own: tuple[str, str]
    other: tuple[str, str]


@dataclass(frozen=True)
class Samples:
    """Samples by arm. `rule` says how they were chosen; `absent` why there are none."""

    by_arm: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    rule: str = ""
    absent: str = ""


@dataclass(frozen=True)
class _Source:
    """Where answers and their scores are read."""

    store: Store
    artifacts: Path
    column: Column
    seed: int
    stored: Sequence[StoredScore]
    stages: Mapping[ArmKey, Sequence[Stage]]


@dataclass(frozen=True)
class _Answered:
    """An arm's answers by their place in the suite, and the scores of those that have one."""

    answers: Sequence[_Answer]
    values: Mapping[int, float]


def read_samples(
    store: Store,
    board: Leaderboard,
    stored: Sequence[StoredScore],
    stages: Mapping[ArmKey, Sequence[Stage]],
    artifacts: Path | None,
) -> Samples:
    """Samples from the artifacts below this folder; none where they are not there, or nothing is compared."""
    if board.baseline is None or board.main is None:
        return Samples(absent="There is no baseline whose answers could stand beside an arm's.")
    if artifacts is None:
        return Samples(absent="This page was made without the artifacts of the study.")
    rows = {row.name: row for row in board.rows}
    seed = rows[board.baseline].runs[0].arm.seed
    generated = any(stage.kind == "generate" for own in stages.values() for stage in own)
    column = _column(board, stored) if generated else None
    if column is None:
        return Samples(absent="No column of this study scores answers one by one.")
    source = _Source(store, artifacts, column, seed, stored, stages)
    baseline = _answered(source, rows[board.baseline])
    if baseline is None:
        return Samples(absent=f"The answers of {lines(board.baseline)} are no longer among the artifacts.")
    found = {}
    for row in board.rows[:ARMS]:
        own = None if row.name == board.baseline else _answered(source, row)
        if own is not None and (chosen := _chosen(own, baseline, column)):
            found[row.name] = chosen
    if not found:
        return Samples(absent=f"No arm has answers to the prompts of {lines(board.baseline)}.")
    rule = (
        f"The first {FIRST} prompts of the suite, the same for every arm, and the {EXTREMES} on which the arm scored "
        f"most above and the {EXTREMES} on which it scored most below {lines(board.baseline)} in {column.suite} "
        f"{column.metric}, at training seed {seed}. Extremes are no typical answers."
    )
    return Samples(found, rule)


def _column(board: Leaderboard, stored: Sequence[StoredScore]) -> Column | None:
    """The column that scores answers one by one, the main one before others; None where none does."""
    assert board.main is not None
    itemised = {(one.score.suite, one.score.metric) for one in stored if one.values}
    wanted = [board.columns[board.main], *(column for column in board.columns if column.name in _WIN_RATES)]
    return next((c for c in wanted if c.suite == _SUITE and (c.suite, c.metric) in itemised), None)


def _answered(source: _Source, row: Row) -> _Answered | None:
    """An arm's answers; None where it has none at this seed, or its file cannot be used."""
    run = next((run for run in row.runs if run.arm.seed == source.seed), None)
    own = source.stages.get(ArmKey(row.name, source.seed), ())
    stages = [stage for stage in own if stage.kind == "generate" and stage.status == "ok"]
    if run is None or len(stages) != 1:
        return None
    try:
        answers = _answers.validate_json((source.artifacts / "generate" / stages[0].key / _FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    suite, metric = source.column.suite, source.column.metric
    places = {item.item: item.detail.get("index") for item in source.store.items(run.arm, suite, metric)}
    of_arm = (one for one in source.stored if (one.arm.name, one.arm.seed) == (row.name, source.seed))
    values = next((o.values for o in of_arm if (o.score.suite, o.score.metric) == (suite, metric) and o.values), {})
    found = {place: values[item] for item, place in places.items() if isinstance(place, int) and item in values}
    return _Answered(answers, found)


def _chosen(own: _Answered, other: _Answered, column: Column) -> tuple[Sample, ...]:
    """The samples of one arm, each prompt once. Of equal differences the earlier prompt is taken."""
    count = min(len(own.answers), len(other.answers))
    alike = [i for i in range(count) if own.answers[i].instruction == other.answers[i].instruction]
    sign = -1 if column.higher_is_better is False else 1
    gains = {i: sign * (own.values[i] - other.values[i]) for i in alike if i in own.values and i in other.values}
    above = [i for i in sorted(gains, key=lambda i: (-gains[i], i))[:EXTREMES] if gains[i] > 0]
    below = [i for i in sorted(gains, key=lambda i: (gains[i], i))[:EXTREMES] if gains[i] < 0]
    reasons = dict.fromkeys(above, "scored most above") | dict.fromkeys(below, "scored most below")
    reasons |= dict.fromkeys(alike[:FIRST], "first of the suite")
    order = dict.fromkeys((*alike[:FIRST], *above, *below))
    return tuple(
        Sample(
            why=f"prompt {i + 1}, {reasons[i]}",
            prompt=lines(own.answers[i].instruction, CHARACTERS),
            own=_shown(own, i, column),
            other=_shown(other, i, column),
        )
        for i in order
    )


def _shown(found: _Answered, index: int, column: Column) -> tuple[str, str]:
    value = found.values.get(index)
    score = "no score" if value is None else f"{number(value, column.unit)} {column.unit}".strip()
    return lines(found.answers[index].output, CHARACTERS) or "(an empty answer)", score
