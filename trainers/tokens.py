"""A tokenised dataset: flat arrays on disk (safetensors), as training and reference log-probs read it."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from results.errors import UserError
from trainers.chat import Tokens, conversation_tokens, document_tokens, response_tokens
from trainers.datasets.views import is_tie
from trainers.records import (
    BinaryFeedback,
    Demonstration,
    Document,
    PreferencePair,
    Record,
    RecordType,
    ScoredResponse,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ARRAYS = ("ids", "supervised", "offsets", "score", "demonstration")
_Answered = Demonstration | PreferencePair | BinaryFeedback | ScoredResponse


@dataclass(frozen=True, eq=False)
class TokenizedSet:
    """Rows of tokens. Row i is ids[offsets[i]:offsets[i+1]].

    ids:           int32 [tokens]
    supervised:    bool  [tokens]; whether the token is one to be predicted and learned from: never a row's first
    offsets:       int64 [rows + 1]
    score:         float32 [rows] in [0, 1]; a demonstration counts as 1, a liked answer as 1, a disliked one as 0
    demonstration: bool  [rows]; whether the row is imitated as it stands, not judged
    types:         the record types that the rows come from. Of a pair, the chosen answer stands directly before the
                   rejected one; beside pairs there are demonstrations at most
    overlong:      records dropped for being longer than the limit
    ties:          pairs dropped for equal scores: neither of their answers is preferred

    Raises UserError where a row has no supervised token.
    """

    ids: NDArray[np.int32]
    supervised: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    score: NDArray[np.float32]
    demonstration: NDArray[np.bool_]
    types: frozenset[RecordType]
    overlong: int
    ties: int

    def __post_init__(self) -> None:
        if self.supervised[self.offsets[:-1]].any():
            raise ValueError("the first token of a row is supervised, and nothing stands before it to predict it from")
        learned = np.logical_or.reduceat(self.supervised, self.offsets[:-1])
        if not learned.all():
            raise UserError(f"row {np.argmin(learned)} of the dataset (from 0) has no token to learn from")

    @property
    def paired(self) -> bool:
        """Whether the set holds pairs, whose two rows stay together."""
        return "pair" in self.types

    @property
    def rows(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row: [rows]."""
        return np.diff(self.offsets)

    @property
    def supervised_tokens(self) -> int:
        return int(self.supervised.sum())

    @property
    def tokens_digest(self) -> str:
        """sha256 of the tokens: which they are, which of them are supervised, and where rows begin."""
        found = hashlib.sha256()
        for array in (self.ids, self.supervised, self.offsets):
            found.update(f"{array.dtype.str} {array.shape}\n".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()

    def save(self, folder: Path) -> None:
        """Writes tokens.safetensors and counts.json, the same bytes for the same set."""
        from safetensors.numpy import save_file

        save_file({name: getattr(self, name) for name in _ARRAYS}, folder / "tokens.safetensors")
        counts = {
            "rows": self.rows,
            "tokens": len(self.ids),
            "supervised_tokens": self.supervised_tokens,
            "overlong_records_dropped": self.overlong,
            "ties_dropped": self.ties,
            "types": sorted(self.types),
        }
        (folder / "counts.json").write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "TokenizedSet":
        """Reads what save wrote."""
        from safetensors.numpy import load_file

        arrays = load_file(folder / "tokens.safetensors")
        counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
        return cls(
            **{name: arrays[name] for name in _ARRAYS},
            types=frozenset(counts["types"]),
            overlong=counts["overlong_records_dropped"],
            ties=counts["ties_dropped"],
        )


def tokenize(tokenizer: "PreTrainedTokenizerBase", records: Iterable[Record], max_length: int) -> TokenizedSet:
    """Tokenises records: demonstrations with pairs, or anything with one answer a record.

    A record longer than `max_length` tokens is dropped and counted, never cut: a cut answer has lost its EOS. So is a
    pair of equal scores: whichever answer were called chosen, it would be a preference that nobody had.
    Raises UserError for a mix of pairs and judged answers, a record with nothing to learn, or where no record is left.
    """
    ids: list[NDArray[np.int32]] = []
    supervised: list[NDArray[np.bool_]] = []
    scores: list[float] = []
    demonstration: list[bool] = []
    types: set[RecordType] = set()
    overlong = ties = 0
    for record, answers in _tokenized(tokenizer, records):
        if is_tie(record):
            ties += 1
            continue
        if any(len(tokens.ids) > max_length for tokens, _ in answers):
            overlong += 1
            continue
        types.add(record.type)
        if "pair" in types and (others := types - {"pair", "demonstration"}):
            raise UserError(
                f"one dataset mixes pairs with records of type {', '.join(sorted(others))}: beside pairs there may be "
                "demonstrations; give the others a dataset of their own"
            )
        for tokens, score in answers:
            mask = np.asarray(tokens.supervised)
            mask[0] = False  # nothing stands before the first token, so nothing can predict it
            if not mask.any():
                raise UserError(f"record {record.id!r} has no token to learn from: no text, or no assistant turn")
            ids.append(np.asarray(tokens.ids, np.int32))
            supervised.append(mask)
            scores.append(score)
            demonstration.append(isinstance(record, Demonstration | Document))
    if not ids:
        raise UserError(
            f"nothing to learn from: of all records {overlong} are longer than max_length={max_length} tokens and "
            f"{ties} are pairs whose answers have equal scores"
        )
    return TokenizedSet(
        ids=np.concatenate(ids),
        supervised=np.concatenate(supervised),
        offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
        score=np.asarray(scores, dtype=np.float32),
        demonstration=np.asarray(demonstration, np.bool_),
        types=frozenset(types),
        overlong=overlong,
        ties=ties,
    )


def _tokenized(
    tokenizer: "PreTrainedTokenizerBase", records: Iterable[Record]
) -> Iterator[tuple[Record, list[tuple[Tokens, float]]]]:
    """Each record with its answers. Documents, of which there are many and short ones, are tokenised many at a time.

    Raises UserError with the record's id.
    """
    stream = iter(records)
    while some := list(islice(stream, 4096)):
        documents = [record for record in some if isinstance(record, Document)]
        texts = iter(document_tokens(tokenizer, [document.text for document in documents]))
        for record in some:
            try:
                yield record, [(next(texts), 1.0)] if isinstance(record, Document) else _answers(tokenizer, record)
            except UserError as error:
                raise UserError(f"record {record.id!r}: {error}") from error


def _answers(tokenizer: "PreTrainedTokenizerBase", record: _Answered) -> list[tuple[Tokens, float]]:
    match record:
        case Demonstration():
            return [(conversation_tokens(tokenizer, record.messages), 1.0)]
        case PreferencePair():
            chosen = response_tokens(tokenizer, record.prompt, record.chosen)
            return [(chosen, 1.0), (response_tokens(tokenizer, record.prompt, record.rejected), 0.0)]
        case BinaryFeedback():
            return [(response_tokens(tokenizer, record.prompt, record.response), float(record.liked))]
        case ScoredResponse():
            return [(response_tokens(tokenizer, record.prompt, record.response), record.score)]
