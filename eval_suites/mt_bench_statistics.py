"""What stands beside MT-Bench's scores: how long the answers are, and whether they ended by themselves."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from eval_suites.answered_by import summary
from eval_suites.mt_bench_files import TURNS, ModelAnswer, Question, Turn
from eval_suites.mt_bench_scores import SUITE, by_question
from results.digest import Json
from results.rows import Item, Score


def beside_scores(statistics: Sequence[Score]) -> dict[str, Json]:
    """What of them stands in the detail of every score: their values, and how many turns had less room than asked."""
    return {**summary(statistics), "shortened": statistics[0].detail["shortened"]}


def answer_statistics(
    answers: Mapping[int, ModelAnswer], questions: Sequence[Question]
) -> tuple[list[Score], list[Item]]:
    """Average length in characters and, where the rows tell, termination rate (percent) and average tokens.

    An item is a question, its value the mean of its turns (see by_question). A turn without an answer, because its
    prompt filled the context, leaves its question without a value in any of them.
    """
    places: list[tuple[int, Turn]] = [(question.question_id, turn) for question in questions for turn in TURNS]
    choices = {question_id: answer.choices[0] for question_id, answer in answers.items()}
    texts = {(i, turn): choices[i].turns[turn - 1] if i in choices else None for i, turn in places}
    there = [place for place in places if texts[place] is not None]
    measures: dict[str, tuple[str, dict[tuple[int, Turn], float]]] = {
        "average_length": ("characters", {place: float(len(text)) for place, text in texts.items() if text is not None})
    }
    if all(choices[i].finished and choices[i].n_tokens for i, _ in there):
        ended = {(i, turn): 100.0 * (choices[i].finished or ())[turn - 1] for i, turn in there}
        tokens = {(i, turn): float((choices[i].n_tokens or ())[turn - 1]) for i, turn in there}
        measures |= {"termination_rate": ("percent", ended), "average_tokens": ("tokens", tokens)}
    detail: dict[str, Json] = {
        "unanswered": len(places) - len(there),
        "shortened": sum(sum(choice.shortened) for choice in choices.values() if choice.shortened),
    }
    scores: list[Score] = []
    items: list[Item] = []
    for metric, (unit, values) in measures.items():
        own = by_question({place: values.get(place) for place in places})
        there_are = [value for value in own.values() if value is not None]
        scores.append(
            Score(
                suite=SUITE,
                metric=metric,
                value=fmean(there_are) if there_are else None,
                n_expected=len(own),
                n_scored=len(there_are),
                detail={"unit": unit, "aggregate": "mean", **detail},
            )
        )
        items += [Item(suite=SUITE, metric=metric, item=name, value=value) for name, value in own.items()]
    return scores, items
