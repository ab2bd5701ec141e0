"""What stands beside every score, whatever the suite: what answered, and what its answers are like."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eval_suites.engines import EngineSpec
from results.digest import Json, digest
from results.rows import Score

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The statistics of answers that are scores of their own, and what they are called in the detail of all others.
STATISTICS = {
    "termination_rate": "termination_rate",
    "average_tokens": "mean_tokens",
    "average_length": "mean_characters",
}


def answered_by(spec: EngineSpec, tokenizer: "PreTrainedTokenizerBase") -> dict[str, Json]:
    """The engine (name, versions, precision) and the digest of the chat template that its prompts were written with."""
    return {"engine": spec.identity, "chat_template": digest(tokenizer.chat_template)}


def summary(statistics: Sequence[Score]) -> dict[str, Json]:
    """Of a suite's statistics of answers (STATISTICS): their values, for the detail of its other scores."""
    return {STATISTICS[score.metric]: score.value for score in statistics if score.metric in STATISTICS}


def beside(scores: Sequence[Score], detail: Mapping[str, Json]) -> list[Score]:
    """The scores with `detail` in theirs, which keeps what it has under the same name."""
    return [score.model_copy(update={"detail": {**detail, **score.detail}}) for score in scores]
