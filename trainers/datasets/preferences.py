"""Schemas of preference pairs and of liked or disliked answers, one a row."""

from collections.abc import Iterable, Iterator

from trainers.datasets.demonstrations import system_message
from trainers.datasets.row import SHAREGPT, SHAREGPT_ANSWER, Row, turn_fault
from trainers.datasets.views import Outcome, part_id
from trainers.records import BinaryFeedback, Message, PreferencePair, ScoredResponse


def ultrafeedback(row: Row) -> PreferencePair:
    """HuggingFaceH4/ultrafeedback_binarized. Scores are the source's own; where both are absent the pair has none."""
    prompt, chosen, rejected = _answers(row)
    scored = row.has("score_chosen") or row.has("score_rejected")
    return PreferencePair(
        id=row.optional_text("prompt_id"),
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        score_chosen=row.number("score_chosen") if scored else None,
        score_rejected=row.number("score_rejected") if scored else None,
    )


def ultrafeedback_scores(rows: Iterable[Row]) -> Iterator[Outcome]:
    """Both answers of each row with their score of 0 to 10 over 10."""
    for row in rows:
        prompt, chosen, rejected = _answers(row)
        for part, response in (("chosen", chosen), ("rejected", rejected)):
            yield ScoredResponse(
                id=part_id(row.optional_text("prompt_id"), part),
                prompt=prompt,
                response=response,
                score=row.number(f"score_{part}", 0, 10) / 10,
            )


def sharegpt_pair(row: Row) -> PreferencePair:
    """LLaMA-Factory's ranking layout: `conversations` that the messages `chosen` and `rejected` continue."""
    prompt = (*system_message(row), *row.conversation("conversations", "user", SHAREGPT))
    fault = turn_fault(prompt, "user")
    if fault:
        raise row.error("conversations", fault)
    chosen, rejected = (row.message(field, SHAREGPT_ANSWER, row.value(field)) for field in ("chosen", "rejected"))
    return PreferencePair(id="", prompt=prompt, chosen=chosen.content, rejected=rejected.content)


def kto(row: Row) -> BinaryFeedback:
    """LLaMA-Factory's KTO layout: `messages` that end with the judged answer, and `label`, true where it was liked."""
    *prompt, answer = row.conversation("messages", last="assistant")
    return BinaryFeedback(id="", prompt=tuple(prompt), response=answer.content, liked=row.flag("label"))


def _answers(row: Row) -> tuple[tuple[Message, ...], str, str]:
    """The prompt and the two answers of a row whose `chosen` and `rejected` are whole conversations."""
    *prompt, chosen = row.conversation("chosen", last="assistant")
    *other, rejected = row.conversation("rejected", last="assistant")
    if other != prompt:
        raise row.error("rejected", "answers another prompt than 'chosen'")
    return tuple(prompt), chosen.content, rejected.content
