"""nvidia/HelpSteer2: ratings of 0 to 4 of two answers to each prompt, in neighbouring rows."""

from collections.abc import Iterable, Iterator

from trainers.datasets.row import Row, turn_fault
from trainers.datasets.transcripts import OUT_OF_ORDER, helpsteer2_turns
from trainers.datasets.views import Outcome
from trainers.records import PreferencePair, ScoredResponse


def helpsteer2_score(row: Row) -> float:
    """(0.65 helpfulness + 0.8 correctness + 0.45 coherence) / 7.6, in [0, 1]: UNA's code (arXiv 2408.15339).

    Computed with the weights times 20, which are whole numbers, so that equal scores are equal floats: (4, 1, 1) and
    (1, 4, 0) are a tie.
    """
    helpfulness, correctness, coherence = (
        row.number(name, 0, 4) for name in ("helpfulness", "correctness", "coherence")
    )
    return (13 * helpfulness + 16 * correctness + 9 * coherence) / 152


def helpsteer2_scored(row: Row) -> Outcome:
    """One answer with its score."""
    prompt = helpsteer2_turns(row.text("prompt"))
    if turn_fault(prompt, "user"):
        return OUT_OF_ORDER
    return ScoredResponse(id="", prompt=prompt, response=row.text("response"), score=helpsteer2_score(row))


def helpsteer2_pairs(rows: Iterable[Row]) -> Iterator[Outcome]:
    """The two answers to each prompt, the better one as chosen; a tie stays one, with the earlier row as chosen."""
    for first, second in _two_by_two(rows):
        earlier, later = helpsteer2_scored(first), helpsteer2_scored(second)
        if not (isinstance(earlier, ScoredResponse) and isinstance(later, ScoredResponse)):
            yield OUT_OF_ORDER
            continue
        chosen, rejected = (later, earlier) if later.score > earlier.score else (earlier, later)
        yield PreferencePair(
            id="",
            prompt=earlier.prompt,
            chosen=chosen.response,
            rejected=rejected.response,
            score_chosen=chosen.score,
            score_rejected=rejected.score,
        )


def _two_by_two(rows: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """Neighbouring rows that share a prompt. Raises UserError where a row has no partner."""
    remaining = iter(rows)
    for first in remaining:
        second = next(remaining, None)
        if second is None:
            raise first.error("prompt", "has one answer only, where rows come in twos (keep skip and limit even)")
        if second.text("prompt") != first.text("prompt"):
            raise second.error(
                "prompt", "differs from the row before, where rows come in twos (keep skip and limit even)"
            )
        yield first, second
