"""MT-Bench's scores from single-answer judgments, as FastChat's show_result averages them, with nothing lost silently.

Upstream averages whatever rows are there; here 2 × questions ratings are expected, and each line is one of these:

    scored      the rating of one turn of a question
    unreadable  the judge's text holds no rating (upstream: score -1, dropped): the score is incomplete
    off scale   a rating outside 1..10 (upstream averages it in): the score is incomplete
    duplicate   a further line for the same question and turn: the first counts, as in upstream's clean_judgment
                (show_result averages them all, the browser takes the last)
    surplus     of another model, or a question that is not asked: not counted

The rating is read again from the judge's text; where a line says another score, that is counted too. What show_result
would print of the same file stands beside the average.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from eval_suites.judge_record import JudgeRecord
from eval_suites.mt_bench_answers import TurnSampling
from eval_suites.mt_bench_files import TURNS, Question, Rating, Turn
from eval_suites.mt_bench_official import departures
from eval_suites.mt_bench_prompts import prompt_name
from eval_suites.mt_bench_verdicts import read_rating
from results.digest import Json
from results.errors import UserError
from results.rows import Item, Score

SUITE = "mt_bench"
Place = tuple[int, Turn]


class Disagreement(NamedTuple):
    """A line whose score is not what its judge's text says (-1: nothing)."""

    line: int
    question_id: int
    turn: Turn
    stored: float
    read: float


def item_name(question_id: int, turn: Turn) -> str:
    """How the outcome of one turn is named, in the metrics of one turn."""
    return f"{question_id}:{turn}"


def by_question(values: Mapping[Place, float | None]) -> dict[str, float | None]:
    """The mean of each question's turns, by the question's id: the items of a metric over both turns.

    The second turn goes on from the first, so it is the questions that are independent: standard errors and paired
    comparisons count them, not turns (clusters: Miller 2024, 2411.00640). None where a turn has no value.
    """
    turns: dict[int, list[float | None]] = {}
    for (question_id, _), value in values.items():
        turns.setdefault(question_id, []).append(value)
    there = {question_id: [value for value in own if value is not None] for question_id, own in turns.items()}
    return {str(i): fmean(there[i]) if len(there[i]) == len(own) else None for i, own in turns.items()}


def replay(ratings: Sequence[Rating]) -> list[Disagreement]:
    """Reads every judgment again; gives the rows (from 1) on which the parser and the stored score differ."""
    found = []
    for line, rating in enumerate(ratings, start=1):
        read = read_rating(rating.judgment)
        value = -1.0 if read is None else read.value
        if value != rating.score:
            found.append(Disagreement(line, rating.question_id, rating.turn, rating.score, value))
    return found


def score_ratings(
    ratings: Sequence[Rating],
    questions: Sequence[Question],
    model: str | None = None,
    record: JudgeRecord | None = None,
    sampling: TurnSampling | None = None,
) -> tuple[list[Score], list[Item]]:
    """`average`, `turn_1`, `turn_2` and one metric a category, in points of 1 to 10.

    An item of `turn_1` and `turn_2` is a turn; of the others, which are over both turns, it is a question, scored where
    both its turns are. What is counted beside the scores (unreadable, missing …) is turns.

    model:  whose ratings count; None where there are those of one model only
    record: how the judge was asked (judge.json); stored ratings name judge and prompts themselves
    sampling: how the answers were drawn, where that is known

    Every score says who judged by which prompts, and in `official` and `departures` whether that is MT-Bench's own way.
    Raises UserError where the model is not there, or more than one judge rated it.
    """
    name = _the_model(ratings, model)
    mine = [rating for rating in ratings if rating.model == name]
    judge = _the_judge(mine, name)
    asked = {question.question_id: question for question in questions}
    chosen: dict[Place, Rating] = {}
    for rating in mine:
        if rating.question_id in asked:
            chosen.setdefault((rating.question_id, rating.turn), rating)
    outcomes = {
        (question.question_id, turn): _outcome(chosen.get((question.question_id, turn)))
        for question in questions
        for turn in TURNS
    }
    values = {place: value for place, (value, _) in outcomes.items()}
    changes = departures(questions, mine, record)
    if n_lost := sum(value is None for value in values.values()):
        changes.append(f"{n_lost} of {len(values)} turns have no rating")
    if sampling is not None and sampling != TurnSampling():
        changes.append("the answers are not drawn as upstream draws them")
    detail: dict[str, Json] = {
        "official": not changes,
        "departures": list(changes),
        **({"judge": judge} if record is None else record.detail),
        "prompts": sorted({rating.judge[1] for rating in chosen.values()}),
        "duplicates": sum(rating.question_id in asked for rating in mine) - len(chosen),
        "other_questions": sum(rating.question_id not in asked for rating in mine),
        "other_models": len(ratings) - len(mine),
        "stored_minus_one": sum(rating.score == -1 for rating in mine),
        "loosely_written": sum(_is_loose(rating) for rating in chosen.values()),
        "other_prompts": sum(
            r.judge[1] != prompt_name("single", asked[r.question_id], r.turn) for r in chosen.values()
        ),
    }
    of_the_average: dict[str, Json] = {
        "disagreements": [list(row) for row in replay(ratings) if ratings[row.line - 1].model == name],
        "show_result": show_result(mine),
    }
    scores: list[Score] = []
    items: list[Item] = []
    for metric, places in _metrics(questions).items():
        own = [
            Item(suite=SUITE, metric=metric, item=name, value=value, detail=_shown(name, asked, outcomes))
            for name, value in _items(metric, {place: values[place] for place in places}).items()
        ]
        beside = {**detail, **of_the_average} if metric == "average" else detail
        became = Counter(outcomes[place][1] for place in places)
        scores.append(_score(metric, [item.value for item in own], became, beside))
        items += own
    return scores, items


def show_result(ratings: Sequence[Rating]) -> dict[str, float | None]:
    """What upstream's show_result prints for one model's lines: the mean of every stored score that is not -1."""
    kept = [rating for rating in ratings if rating.score != -1]
    turns = {f"turn_{turn}": _mean([rating.score for rating in kept if rating.turn == turn]) for turn in TURNS}
    return {"average": _mean([rating.score for rating in kept]), **turns}


def _metrics(questions: Sequence[Question]) -> dict[str, list[Place]]:
    """The places that each metric is a mean of."""
    places: list[tuple[Question, Turn]] = [(question, turn) for question in questions for turn in TURNS]
    found: dict[str, list[Place]] = {"average": [(question.question_id, turn) for question, turn in places]}
    for wanted in TURNS:
        found[f"turn_{wanted}"] = [(question.question_id, turn) for question, turn in places if turn == wanted]
    for question in questions:
        if question.category in ("average", "turn_1", "turn_2"):
            raise UserError(f"question {question.question_id}: a category cannot be called {question.category!r}")
    for category in dict.fromkeys(question.category for question in questions):
        found[category] = [(question.question_id, turn) for question, turn in places if question.category == category]
    return found


def _items(metric: str, values: Mapping[Place, float | None]) -> dict[str, float | None]:
    """The values of a metric's items, by name."""
    if metric in ("turn_1", "turn_2"):
        return {item_name(*place): value for place, value in values.items()}
    return by_question(values)


def _shown(
    item: str, asked: Mapping[int, Question], outcomes: Mapping[Place, tuple[float | None, str]]
) -> dict[str, Json]:
    """What an item says beside its value: of a turn what became of it, of a question that and the value of each."""
    question, _, turn = item.partition(":")
    turns = [(int(question), place) for place in TURNS if turn in ("", str(place))]
    shown: dict[str, Json] = {"category": asked[int(question)].category}
    if turn:
        return {**shown, "turn": int(turn), "outcome": outcomes[turns[0]][1]}
    return {
        **shown,
        "turns": [outcomes[place][0] for place in turns],
        "outcome": [outcomes[place][1] for place in turns],
    }


def _outcome(rating: Rating | None) -> tuple[float | None, str]:
    """The value that counts, and what became of the turn."""
    if rating is None:
        return None, "missing"
    read = read_rating(rating.judgment)
    if read is None:
        return None, "unreadable"
    return (read.value, "scored") if read.on_scale else (None, "off scale")


def _is_loose(rating: Rating) -> bool:
    read = read_rating(rating.judgment)
    return read is not None and not read.strict


def _score(metric: str, items: Sequence[float | None], became: Mapping[str, int], detail: Mapping[str, Json]) -> Score:
    values = [value for value in items if value is not None]
    lost: dict[str, Json] = {
        why.replace(" ", "_"): became.get(why, 0) for why in ("unreadable", "off scale", "missing")
    }
    return Score(
        suite=SUITE,
        metric=metric,
        value=_mean(values),
        standard_error=stdev(values) / sqrt(len(values)) if len(values) > 1 else None,
        n_expected=len(items),
        n_scored=len(values),
        detail={"unit": "points", "aggregate": "mean", **lost, **detail},
    )


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _the_model(ratings: Sequence[Rating], model: str | None) -> str:
    names = sorted({rating.model for rating in ratings})
    if model is None:
        if len(names) != 1:
            raise UserError(
                f"the judgments are of {len(names)} models ({', '.join(names)}): name the one that is meant"
            )
        return names[0]
    if model not in names:
        raise UserError(f"there is no judgment of the model {model!r}; there are {', '.join(names) or 'none'}")
    return model


def _the_judge(ratings: Sequence[Rating], model: str) -> str:
    judges = sorted({rating.judge[0] for rating in ratings})
    if len(judges) > 1:
        raise UserError(f"model {model!r} was rated by {', '.join(judges)}: ratings of two judges make no score")
    return judges[0]
