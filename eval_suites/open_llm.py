"""Boards of automatic tasks (Open LLM Leaderboard, or one's own) through lm-eval; the only module that knows it."""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eval_suites.board_rows import board_rows
from eval_suites.checkpoint import Checkpoint, load_checkpoint
from eval_suites.quiet import quiet
from results.digest import file_digest
from results.errors import UserError
from results.rows import Item, Score

if TYPE_CHECKING:
    import torch

# lm-eval's own defaults, for Python's generator and for all others (few-shot examples among them).
PYTHON_SEED, SEED = 0, 1234


class _Boards(NamedTuple):
    tasks: dict[str, Any]  # lm_eval.api.task.Task by name
    groups: dict[str, Any]  # lm_eval.api.group.Group by name


def evaluate_boards(
    checkpoint: Path,
    task_folder: Path | None,
    groups: Sequence[str],
    *,
    limit: int | None = None,
    batch_size: int = 32,
    device: str = "cpu",
) -> tuple[list[Score], list[Item]]:
    """Scores a local checkpoint (float32, no chat template, exactly one BOS) on groups of tasks, without network.

    task_folder: lm-eval YAML tasks, looked up before lm-eval's own; None for lm-eval's own alone
    limit:       the first so many documents of each task

    A task gives a Score for each metric: shares (acc, acc_norm, exact_match …) in percent with the standard error
    over its documents, anything else in its own unit, and an Item for each document. A group gives one Score
    "average" (see board_rows). Folders of the same tasks are read once a process.
    Raises UserError for an unknown group, and for data that are not on this machine.
    """
    with quiet(), _offline():
        boards = _load_boards(_TaskFolder(_contents(task_folder), task_folder), tuple(groups))
        shortened: set[str] = set()
        model = _one_bos_model(load_checkpoint(checkpoint, device=device), batch_size, shortened)
        results = _run(model, boards, limit)
    members = {name: tuple(group.child_names) for name, group in boards.groups.items()}
    return board_rows(results, members, groups, shortened)


@contextmanager
def _offline() -> Iterator[None]:
    """The hub's libraries read the variable once, when first imported: both places are set, and put back."""
    import datasets  # type: ignore[import-untyped]
    import huggingface_hub.constants

    places = [(huggingface_hub.constants, "HF_HUB_OFFLINE"), (datasets.config, "HF_HUB_OFFLINE")]
    before = [getattr(module, name) for module, name in places]
    variable = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    for module, name in places:
        setattr(module, name, True)
    try:
        yield
    finally:
        for (module, name), value in zip(places, before, strict=True):
            setattr(module, name, value)
        if variable is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = variable


@dataclass(frozen=True)
class _TaskFolder:
    """Tasks of a user's own. Two folders of the same contents, each file's path and digest, are one."""

    contents: tuple[tuple[str, str], ...]
    path: Path | None = field(compare=False)


def _contents(folder: Path | None) -> tuple[tuple[str, str], ...]:
    if folder is None:
        return ()
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder of lm-eval tasks")
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return tuple((str(path.relative_to(folder)), file_digest(path)) for path in files)


@lru_cache(maxsize=8)
def _load_boards(folder: _TaskFolder, names: tuple[str, ...]) -> _Boards:
    from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]

    manager = TaskManager(include_path=str(folder.path), include_defaults=False) if folder.path else None
    if manager is None or not set(names) <= set(manager.all_tasks):
        # Reading lm-eval's own thousands of files takes seconds: only where they are needed.
        manager = TaskManager(include_path=str(folder.path) if folder.path else None)
    unknown = sorted(set(names) - set(manager.all_tasks))
    if unknown:
        raise UserError(
            f"lm-eval knows no task or group {unknown}" + (f", nor does {folder.path}" if folder.path else "")
        )
    try:
        with _seeded():
            loaded = manager.load(list(names))
    except (ConnectionError, FileNotFoundError) as error:
        raise UserError(
            f"the data of {list(names)} are not on this machine ({' '.join(str(error).split())[:200]}): "
            "put them into the hub cache, or name local files in a task folder"
        ) from None
    return _Boards(tasks=loaded["tasks"], groups=loaded.get("groups", {}))


def _run(model: Any, boards: _Boards, limit: int | None) -> Mapping[str, Any]:
    """lm-eval's `evaluate` with what its `simple_evaluate` sets before it, less the survey of the machine after it."""
    from lm_eval.evaluator import evaluate  # type: ignore[import-untyped]

    _compile_templates_once()
    for task in boards.tasks.values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=SEED)
    with _seeded():
        results: Mapping[str, Any] = evaluate(
            lm=model,
            task_dict={"tasks": boards.tasks, "groups": boards.groups, "group_map": {}},
            limit=limit,
            bootstrap_iters=0,
            log_samples=True,
            cache_requests=False,
            apply_chat_template=False,
        )
    return results


@lru_cache(maxsize=1)
def _compile_templates_once() -> None:
    """lm-eval compiles a task's templates anew for every document: three quarters of the time with a small model."""
    from lm_eval.utils import env  # type: ignore[import-untyped]

    env.from_string = lru_cache(maxsize=1024)(env.from_string)


@contextmanager
def _seeded() -> Iterator[None]:
    """Seeds as `simple_evaluate` does (some tasks shuffle choices while they load), and puts the generators back."""
    import numpy as np
    import torch

    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(PYTHON_SEED)
        np.random.seed(SEED)
        torch.manual_seed(SEED)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def _one_bos_model(checkpoint: Checkpoint, batch_size: int, shortened: set[str]) -> Any:
    """The checkpoint as lm-eval's Hugging Face model, with a rule of ours: every input begins with exactly one BOS.

    BOS is set here whatever the tokenizer's own habits are, unless the text itself begins with it; a tokenizer without
    BOS gets none. An input that is too long is cut from the left, after the BOS, and its text added to `shortened`.
    """
    import torch
    from lm_eval.models.huggingface import HFLM  # type: ignore[import-untyped]

    class _OneBosLM(HFLM):  # type: ignore[misc]
        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            ids: list[int] = self.tokenizer.encode(string, add_special_tokens=False)
            wanted = bos is not None and add_special_tokens is not False
            return [bos, *ids] if wanted and ids[:1] != [bos] else ids

        def _loglikelihood_tokens(self, requests: Any, **options: Any) -> Any:
            """requests: ((context, continuation), context ids, continuation ids)."""
            # The last token of the continuation is predicted, never read: one more than the context fits.
            fitting = [
                (texts, self._fit(texts[0], context, self.max_length + 1 - len(continuation)), continuation)
                for texts, context, continuation in requests
            ]
            return super()._loglikelihood_tokens(fitting, **options)

        def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
            raise UserError("tasks of the type loglikelihood_rolling are of no board and are not supported")

        def tok_batch_encode(
            self, strings: list[str], left_truncate_len: int | None = None, **_: Any
        ) -> "tuple[torch.Tensor, torch.Tensor]":
            """Ids and attention mask, both [strings, tokens], padded on the left."""
            room = left_truncate_len or self.max_length
            rows = [self._fit(string, self.tok_encode(string), room) for string in strings]
            width = max(map(len, rows))
            pad = self.tokenizer.pad_token_id
            ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
            return ids, torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])

        def _fit(self, text: str, ids: list[int], room: int) -> list[int]:
            if len(ids) <= room:
                return ids
            shortened.add(text)
            head = ids[:1] if ids[0] == bos else []
            return head + ids[len(ids) - (room - len(head)) :]

    bos = checkpoint.tokenizer.bos_token_id
    return _OneBosLM(
        pretrained=checkpoint.model,
        tokenizer=checkpoint.tokenizer,
        max_length=checkpoint.context,
        batch_size=batch_size,
        backend="causal",
    )
