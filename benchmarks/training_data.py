"""What both systems of the training benchmark learn from: rows of tokens, the same for each."""

import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.training_shapes import Shape
from trainers.mismatch import mismatched_set
from trainers.tokens import TokenizedSet

Kind = Literal["demonstration", "pair", "binary"]
KINDS: dict[str, Kind] = {"sft": "demonstration", "dft": "demonstration", "dpo": "pair", "kto": "binary"}
_FIRST = 3  # ids below stand for padding, end and unknown in the tokenizer that TRL's trainers are given
_MICROWORLD_LIMIT = 128  # max_length of the microworld's profile


class Rows(NamedTuple):
    """A training set, and for `binary` every row's prompt with another prompt's answer."""

    tokens: TokenizedSet
    mismatched: TokenizedSet | None


def write_rows(shape: Shape, kind: Kind, rows: int, folder: Path, seed: int = 0) -> None:
    """Writes `rows` rows: for micro the microworld's own, else random tokens of a chat set's lengths."""
    tokens = _microworld_rows(kind, rows) if shape.name == "micro" else _random_rows(shape, kind, rows, seed)
    folder.mkdir(parents=True)
    tokens.save(folder)
    if kind == "binary":
        others = folder / "mismatched"
        others.mkdir()
        mismatched_set(tokens, shape.context, seed).save(others)


def read_rows(folder: Path) -> Rows:
    """Reads what write_rows wrote."""
    others = folder / "mismatched"
    return Rows(TokenizedSet.load(folder), TokenizedSet.load(others) if others.is_dir() else None)


def _microworld_rows(kind: Kind, rows: int) -> TokenizedSet:
    from harness.microworld import files, post_training, sampling, spec
    from harness.microworld.tokenizer import write_tokenizer
    from trainers.chat import load_tokenizer
    from trainers.datasets import Source, load_records
    from trainers.tokens import tokenize

    world = sampling.draw_world(spec.WorldSpec())
    schema = "ultrachat" if kind == "demonstration" else "ultrafeedback"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # twice as many as needed, since ties and over-long records are dropped
        files.write_rows(folder / "rows.jsonl", getattr(post_training, schema)(world, "train", 2 * rows))
        write_tokenizer(folder / "tokenizer")
        source = Source(adapter=schema, file=str(folder / "rows.jsonl"), record=kind)
        tokens = tokenize(load_tokenizer(folder / "tokenizer"), load_records(source).records, _MICROWORLD_LIMIT)
    return _first(tokens, rows)


def _first(tokens: TokenizedSet, rows: int) -> TokenizedSet:
    """The first rows of a set."""
    end = int(tokens.offsets[rows])
    return TokenizedSet(
        ids=tokens.ids[:end],
        supervised=tokens.supervised[:end],
        offsets=tokens.offsets[: rows + 1],
        score=tokens.score[:rows],
        demonstration=tokens.demonstration[:rows],
        types=tokens.types,
        overlong=0,
        ties=0,
    )


def _random_rows(shape: Shape, kind: Kind, rows: int, seed: int) -> TokenizedSet:
    """Random tokens. Of a pair, both rows have one prompt; of binary feedback, every second row was liked."""
    rng = np.random.default_rng(seed)
    answers_each = 2 if kind == "pair" else 1
    ids: list[NDArray[np.int64]] = []
    supervised: list[NDArray[np.bool_]] = []
    for _ in range(rows // answers_each):
        prompt = rng.integers(_FIRST, shape.vocabulary, _length(rng, shape.context / 16, 1.0, shape.context // 2))
        for _ in range(answers_each):
            size = _length(rng, shape.context / 6, 0.8, shape.context - len(prompt))
            ids.append(np.concatenate([prompt, rng.integers(_FIRST, shape.vocabulary, size)]))
            supervised.append(np.repeat([False, True], [len(prompt), size]))
    return TokenizedSet(
        ids=np.concatenate(ids).astype(np.int32),
        supervised=np.concatenate(supervised),
        offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
        score=np.ones(rows, np.float32) if kind == "demonstration" else (np.arange(rows) % 2 == 0).astype(np.float32),
        demonstration=np.full(rows, kind == "demonstration"),
        types=frozenset({kind}),
        overlong=0,
        ties=0,
    )


def _length(rng: np.random.Generator, median: float, spread: float, longest: int) -> int:
    """Tokens of a prompt or an answer: log-normal, as those of chat sets roughly are."""
    return int(np.clip(rng.lognormal(np.log(median), spread), 2, longest))
