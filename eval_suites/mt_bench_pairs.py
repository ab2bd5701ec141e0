"""Win rates from MT-Bench's pairwise judgments, as FastChat's show_result counts them.

The winners are read again from the judge's texts; where a line says others, that is counted.
A turn is won where both games say so; it is a tie where the first game is one or the games disagree. A turn in which
one of the games has no readable verdict is dropped upstream; here it makes the win rates incomplete. A further line for
the same models, question and turn is a duplicate: the first counts here, all of them upstream.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Literal, NamedTuple

from eval_suites.judge_record import JudgeRecord
from eval_suites.mt_bench_files import TURNS, Match, Question, Turn
from eval_suites.mt_bench_judge import game_winners
from eval_suites.mt_bench_official import PAIRS, question_departures
from eval_suites.mt_bench_scores import SUITE, by_question
from results.digest import Json
from results.errors import UserError
from results.rows import Item, Score

Outcome = Literal["win", "loss", "tie"]
# What a turn is worth in each metric, in percent; as upstream prints them, a tie is half a win in the adjusted one.
_WORTH: dict[str, dict[Outcome, float]] = {
    "win_rate_adjusted": {"win": 100.0, "tie": 50.0, "loss": 0.0},
    "win_rate": {"win": 100.0, "tie": 0.0, "loss": 0.0},
    "loss_rate": {"win": 0.0, "tie": 0.0, "loss": 100.0},
}


class Record(NamedTuple):
    """A model's turns in a table of matches. Rates are shares of their sum."""

    win: int
    loss: int
    tie: int

    @property
    def win_rate_adjusted(self) -> float:
        """Share of turns won, a tie being half a win."""
        return (self.win + 0.5 * self.tie) / sum(self)


class PairDisagreement(NamedTuple):
    """A line whose winners are not what its judge's texts say."""

    line: int
    question_id: int
    turn: Turn
    stored: tuple[str, str]
    read: tuple[str, str]


def outcome(match: Match, model: str) -> Outcome | None:
    """What a match was for one of its two models; None where a game had no readable verdict."""
    games = (match.g1_winner, match.g2_winner)
    if "error" in games:
        return None
    if games[0] == "tie" or games[0] != games[1]:
        return "tie"
    return "win" if getattr(match, games[0]) == model else "loss"


def table(matches: Iterable[Match], baseline: str | None = None) -> dict[str, Record]:
    """Every model's record over all its matches, the best first: upstream's pairwise-all, or pairwise-baseline.

    baseline: only matches against this model count, and it has no line of its own
    """
    counts: dict[str, Counter[str]] = {}
    for match in matches:
        models = (match.model_1, match.model_2)
        if baseline is not None and baseline not in models:
            continue
        for model in models:
            if (result := outcome(match, model)) is not None:
                counts.setdefault(model, Counter())[result] += 1
    records = {model: Record(c["win"], c["loss"], c["tie"]) for model, c in counts.items() if model != baseline}
    return dict(sorted(records.items(), key=lambda row: -row[1].win_rate_adjusted))


def replay(matches: Sequence[Match]) -> list[PairDisagreement]:
    """Reads every judgment again; gives the rows (from 1) on which the parser and the stored winners differ."""
    found = []
    for line, match in enumerate(matches, start=1):
        stored, read = (match.g1_winner, match.g2_winner), game_winners(match.g1_judgment, match.g2_judgment)
        if stored != read:
            found.append(PairDisagreement(line, match.question_id, match.turn, stored, read))
    return found


def score_matches(
    matches: Sequence[Match],
    questions: Sequence[Question],
    model: str,
    baseline: str,
    record: JudgeRecord | None = None,
) -> tuple[list[Score], list[Item]]:
    """`win_rate_adjusted`, `win_rate` and `loss_rate` of a model against a baseline, in percent.

    An item is a question, its value the mean of its turns (see by_question).

    record: how the judge was asked (judge.json); stored judgments name judge and prompts themselves

    Raises UserError where there is no match of the two, or more than one judge judged them.
    """
    ours = [match for match in matches if {match.model_1, match.model_2} == {model, baseline}]
    judges = sorted({match.judge[0] for match in ours})
    if len(judges) != 1:
        raise UserError(f"{len(judges)} judges compared {model!r} with {baseline!r}, and one is wanted: {judges}")
    places: list[tuple[int, Turn]] = [(question.question_id, turn) for question in questions for turn in TURNS]
    categories = {str(question.question_id): question.category for question in questions}
    chosen: dict[tuple[int, Turn], Match] = {}
    for match in ours:
        if (match.question_id, match.turn) in places:
            chosen.setdefault((match.question_id, match.turn), _read_again(match))
    results = {place: outcome(match, model) for place, match in chosen.items()}
    consistent = [match.g1_winner == match.g2_winner for place, match in chosen.items() if results[place] is not None]
    consistency = 100 * fmean(consistent) if consistent else None
    detail: dict[str, Json] = {
        "official": False,
        "departures": [PAIRS, *question_departures(questions)],
        **({"judge": judges[0]} if record is None else record.detail),
        "prompts": sorted({match.judge[1] for match in chosen.values()}),
        "baseline": baseline,
        "stored_errors": sum("error" in (match.g1_winner, match.g2_winner) for match in ours),
        "unreadable": sum(result is None for result in results.values()),
        "missing": len(places) - len(chosen),
        "duplicates": sum((match.question_id, match.turn) in places for match in ours) - len(chosen),
        "other_questions": sum((match.question_id, match.turn) not in places for match in ours),
        "other_models": len(matches) - len(ours),
        "consistent_percent": consistency,
        "order_instability": None if consistency is None else 100 - consistency,
        "disagreements": [list(row) for row in replay(matches) if matches[row.line - 1] in ours],
        "show_result": _show_result(ours, model, baseline),
    }
    scores, items = [], []
    for metric, worth in _WORTH.items():
        values = by_question({place: worth[result] if (result := results.get(place)) else None for place in places})
        scores.append(_score(metric, values.values(), detail))
        items += [
            Item(suite=SUITE, metric=metric, item=name, value=value, detail={"category": categories[name]})
            for name, value in values.items()
        ]
    return scores, items


def _read_again(match: Match) -> Match:
    """The match with the winners that its judge's texts name."""
    first, second = game_winners(match.g1_judgment, match.g2_judgment)
    return match.model_copy(update={"g1_winner": first, "g2_winner": second})


def _show_result(matches: Sequence[Match], model: str, baseline: str) -> Mapping[str, Json] | None:
    """What upstream's show_result prints for the model: its turns, duplicates and all, and its adjusted win rate."""
    record = table(matches, baseline).get(model)
    return None if record is None else {**record._asdict(), "win_rate_adjusted": record.win_rate_adjusted}


def _score(metric: str, outcomes: Iterable[float | None], detail: Mapping[str, Json]) -> Score:
    listed = list(outcomes)
    values = [value for value in listed if value is not None]
    return Score(
        suite=SUITE,
        metric=metric,
        value=fmean(values) if values else None,
        standard_error=stdev(values) / sqrt(len(values)) if len(values) > 1 else None,
        n_expected=len(listed),
        n_scored=len(values),
        higher_is_better=metric != "loss_rate",
        detail={"unit": "percent", "aggregate": "mean", **detail},
    )
