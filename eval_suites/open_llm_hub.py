"""The sets of the hub that boards' tasks are made of, and the commits at which they are read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from results.errors import UserError

Revisions = Mapping[str, str]  # the commit of each set, by its id on the hub


@contextmanager
def pinned(revisions: Revisions) -> Iterator[None]:
    """lm-eval asks for a set by its name alone: inside, those in `revisions` are loaded at their commits."""
    import datasets  # type: ignore[import-untyped]

    load = datasets.load_dataset

    def load_pinned(path: str, *arguments: Any, **options: Any) -> Any:
        if path in revisions:
            options["revision"] = revisions[path]
        return load(path, *arguments, **options)

    datasets.load_dataset = load_pinned
    try:
        yield
    finally:
        datasets.load_dataset = load


def check_commits(tasks: Mapping[str, Any], revisions: Revisions) -> None:
    """Raises UserError where a task was loaded from another commit: without a network, `datasets` takes what is there.

    tasks: lm_eval.api.task.Task by name
    """
    for name, task in tasks.items():
        wanted = revisions.get(str(task.config.dataset_path))
        for split in task.dataset.values() if wanted else ():
            for file in getattr(split, "cache_files", ()):
                # datasets keeps a set in a folder that is named after its commit
                there = Path(file["filename"]).parent.name
                if there != wanted:
                    raise UserError(
                        f"{task.config.dataset_path}: commit {wanted} is asked for by task {name}, and this machine, "
                        f"which does not reach the hub, has {there}"
                    )
