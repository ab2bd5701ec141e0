"""What stands beside MT-Bench's scores: how long the answers are, and whether they ended by themselves."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from eval_suites.mt_bench_files import TURNS, ModelAnswer, Question, Turn
from eval_suites.mt_bench_scores import SUITE, item_name
from results.digest import Json
from results.rows import Item, Score


def answer_statistics(
    answers: Mapping[int, ModelAnswer], questions: Sequence[Question]
) -> tuple[list[Score], list[Item]]:
    """Average length in characters and, where the rows tell, termination rate (percent) and average tokens, over turns.

    A turn without an answer, because its prompt filled the context, has no value in any of them.
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
    scores = [
        Score(
            suite=SUITE,
            metric=metric,
            value=fmean(values.values()) if values else None,
            n_expected=len(places),
            n_scored=len(values),
            detail={"unit": unit, "aggregate": "mean", **detail},
        )
        for metric, (unit, values) in measures.items()
    ]
    items = [
        Item(suite=SUITE, metric=metric, item=item_name(*place), value=values.get(place))
        for metric, (_, values) in measures.items()
        for place in places
    ]
    return scores, items
