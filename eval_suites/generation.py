"""Generation that a stopped stage takes up again: every answer is on the disk soon after it is there."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from eval_suites.engine import Completion, Engine, Sampling, repeats_of
from results.digest import Json, digest

Report = Callable[[int, int], None]  # answers that are there, of how many
CHUNK = 256  # answers that a kill can cost at most, unless one prompt has more samples


def generate_resumably(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    log: Path,
    report: Report = lambda done, total: None,
    *,
    chunk: int = CHUNK,
) -> list[Completion]:
    """One completion a prompt, in the order of the prompts, as `engine.generate` gives in one go.

    log: a JSONL of answers, made here or left by a stopped run of the same model; what it holds of these prompts with
         this sampling is not generated again, anything else in it is ignored, and a torn last line is dropped
    Prompts are answered `chunk` at a time, the longest first, and their answers appended and synced. All samples of one
    prompt stay together, and the chunks are the same in every run, so that a restart changes no answer.
    Raises what the engine raises.
    """
    keys = _keys(prompts, sampling)
    found = _read(log)
    chunks = _chunks(prompts, chunk)
    answered = 0
    with log.open("ab") as file:
        for rows in chunks:
            if any(keys[i] not in found for i in rows):
                answers = engine.generate([prompts[i] for i in rows], sampling)
                fresh = dict(zip((keys[i] for i in rows), answers, strict=True))
                file.writelines(_line(key, answer) for key, answer in fresh.items())
                file.flush()
                os.fsync(file.fileno())
                found.update(fresh)
            answered += len(rows)
            report(answered, len(prompts))
    return [found[key] for key in keys]


def _keys(prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[str]:
    """What each answer belongs to: prompt, number among its repeats, and sampling."""
    how: Json = sampling.model_dump(mode="json")
    return [digest([how, repeat, tuple(prompt)]) for repeat, prompt in zip(repeats_of(prompts), prompts, strict=True)]


def _chunks(prompts: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """Places of the prompts, repeats of one together, in pieces that begin anew where `size` would be passed."""
    order = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), tuple(prompts[i]), i))
    chunks: list[list[int]] = []
    for _, group in groupby(order, key=lambda i: tuple(prompts[i])):
        places = list(group)
        if not chunks or len(chunks[-1]) + len(places) > size:
            chunks.append([])
        chunks[-1].extend(places)
    return chunks


def _line(key: str, answer: Completion) -> bytes:
    return (json.dumps({"key": key, **asdict(answer)}, ensure_ascii=False) + "\n").encode(errors="surrogatepass")


def _read(log: Path) -> dict[str, Completion]:
    """The answers of a log, which is cut behind its last whole line."""
    if not log.exists():
        return {}
    content = log.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(log, len(whole))
    found: dict[str, Completion] = {}
    for line in whole.splitlines():
        try:
            row: dict[str, Any] = json.loads(line.decode(errors="surrogatepass"))
            found[row["key"]] = Completion(
                ids=tuple(row["ids"]),
                text=row["text"],
                finished=row["finished"],
                logprobs=tuple(row["logprobs"]),
            )
        except (ValueError, KeyError, TypeError):
            continue  # a disk that lost its power may leave such a line; the answer is made once more
    return found
