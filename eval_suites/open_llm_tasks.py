"""Tasks from lm-eval's files, with their data from local files or the hub's cache; nothing is downloaded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from eval_suites.board_rows import MAIN_METRICS, Aggregate
from eval_suites.open_llm_boards import BOARDS, IFEVAL, Benchmark, Board, find_board
from eval_suites.open_llm_files import Rows, nothing_there, read_splits
from eval_suites.open_llm_hub import check_commits, pinned
from eval_suites.open_llm_process import seeded
from results.digest import file_digest
from results.errors import UserError


@dataclass(frozen=True)
class Folder:
    """A folder of files. Two of the same contents, each file's path and digest, are one, wherever they lie."""

    contents: tuple[tuple[str, str], ...]
    path: Path = field(compare=False)

    @classmethod
    def read(cls, path: Path, what: str) -> "Folder":
        """Raises UserError where there is none."""
        if not path.is_dir():
            raise UserError(f"{path}: there is no such folder of {what}")
        files = (file for file in sorted(path.rglob("*")) if file.is_file())
        return cls(tuple((str(file.relative_to(path)), file_digest(file)) for file in files), path)


class Loaded(NamedTuple):
    """Tasks, and lm-eval's groups of them.

    tasks:      lm_eval.api.task.Task by name
    groups:     the members, tasks and groups, of each group
    aggregates: how groups say that they are averaged
    """

    tasks: dict[str, Any]
    groups: dict[str, tuple[str, ...]]
    aggregates: dict[str, Aggregate]


@lru_cache(maxsize=8)
def load_tasks(
    names: tuple[str, ...], tasks: Folder | None, data: Folder | None, revisions: tuple[tuple[str, str], ...] = ()
) -> Loaded:
    """The tasks of boards, of lm-eval's groups, or single ones.

    tasks:     lm-eval YAML tasks, looked up before lm-eval's own
    data:      the boards' files (see open_llm_files); None: the hub's. Tasks without a file there are left out
    revisions: sets of the hub and their commits
    Raises UserError for an unknown name, one that a board and `tasks` both have, and for data that cannot be had, or
    not at their commits.
    """
    if tasks:
        check_names(names, tasks.path)
    boards = {name: board for name in names if (board := find_board(name))}
    others = [name for name in names if name not in boards]
    with pinned(dict(revisions)):
        loaded = (
            _built(_manager(others, tasks.path if tasks else None), others, others) if others else Loaded({}, {}, {})
        )
        for name, board in boards.items():
            loaded.tasks.update(_load_board(name, board, data))
    check_commits(loaded.tasks, dict(revisions))
    return loaded


def hub_sets(names: Sequence[str], tasks: Path | None, data: bool) -> list[str]:
    """The ids of the hub's sets that these boards, groups and tasks are made of, in alphabetical order.

    tasks: as in load_tasks; data: whether the boards' own files are given
    Raises UserError for an unknown name.
    """
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES  # type: ignore[import-untyped]

    others = [name for name in names if not find_board(name)]
    configs = list(_configs(_manager(others, tasks), others)) if others else []
    for name in names:
        if (board := find_board(name)) and not data:
            configs += _configs(_board_manager(board), [task for each in board.benchmarks for task in each.tasks])
    places = {str(config["dataset_path"]) for config in configs if "dataset_path" in config}
    return sorted(place for place in places if place not in _PACKAGED_DATASETS_MODULES and not Path(place).exists())


def check_names(names: Sequence[str], folder: Path) -> None:
    """Raises UserError where a folder of tasks has one by the name of a board's own: only one can be asked."""
    boards = [name for name in names if find_board(name)]
    if not boards:
        return
    from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]

    own = TaskManager(include_path=str(folder), include_defaults=False).all_tasks
    if both := sorted(set(boards) & set(own)):
        raise UserError(f"{folder} has a task {both[0]!r}, which is the official board's name: give it another name")


def check_words(names: Sequence[str], tasks: Path | None, data: Path | None) -> None:
    """Raises UserError where a task among these counts words as IFEval does, and what it counts with is not here.

    tasks, data: folders as in load_tasks, with those tasks of a board left out that have no file in `data`
    """
    boards = [board for name in names if (board := find_board(name))]
    asked = any(IFEVAL in benchmark.tasks for board in boards for benchmark in board.benchmarks)
    others = tuple(name for name in names if not find_board(name))
    if (asked and (data is None or read_splits(data, IFEVAL))) or _count_words(
        others, Folder.read(tasks, "lm-eval tasks") if tasks else None
    ):
        check_punkt()


@lru_cache(maxsize=8)  # the same for every arm
def _count_words(names: tuple[str, ...], tasks: Folder | None) -> bool:
    return bool(names) and _has_ifeval(_manager(names, tasks.path if tasks else None), names)


def _has_ifeval(manager: Any, specs: Sequence[Any]) -> bool:
    """Whether IFEval, in whatever language, is among the tasks that are meant."""
    return any("ifeval" in entry.yaml_path.parts for _, entry in _entries(manager, specs) if entry and entry.yaml_path)


def _manager(names: Sequence[str], folder: Path | None) -> Any:
    """lm-eval's TaskManager, which knows these names. Raises UserError where it does not."""
    from lm_eval.tasks import TaskManager

    if folder is None:
        manager = _lm_evals_own()
    else:
        manager = TaskManager(include_path=str(folder), include_defaults=False)
        if any(entry is None and not _is_group(spec) for spec, entry in _entries(manager, names)):
            manager = TaskManager(include_path=str(folder))
    unknown = sorted(set(names) - set(manager.all_tasks))
    if unknown:
        raise UserError(
            f"lm-eval knows no task or group {unknown}"
            + (f", nor does {folder}" if folder else "")
            + f"; the boards are {' and '.join(BOARDS)}"
        )
    return manager


@cache
def _lm_evals_own() -> Any:
    """lm-eval's TaskManager over its own thousands of files: reading them takes seconds."""
    from lm_eval.tasks import TaskManager

    return TaskManager()


def _board_manager(board: Board) -> Any:
    """lm-eval's TaskManager over the files of a board's tasks alone."""
    import lm_eval.tasks  # type: ignore[import-untyped]

    folders = [str(Path(lm_eval.tasks.__file__).parent / folder) for folder in board.folders]
    return lm_eval.tasks.TaskManager(include_path=folders, include_defaults=False)


def _load_board(name: str, board: Board, data: Folder | None) -> dict[str, Any]:
    """The board's tasks. lm-eval's own files say everything but shots, their source and, with `data`, the data."""
    manager = _board_manager(board)
    members = []
    for benchmark in board.benchmarks:
        for task in benchmark.tasks:
            official = manager.task_index[task].cfg
            splits = None if data is None else read_splits(data.path, task)
            if splits is None or _asked(official) in splits:
                members.append({"task": task, **_changes(benchmark, official, splits)})
    if not members:
        raise nothing_there(data.path if data else None, name)
    return _built(manager, [{"group": f"{name} here", "task": members}], [name]).tasks


def _asked(official: Mapping[str, Any]) -> str:
    """The split that a task asks."""
    return str(official.get("test_split") or official["validation_split"])


def _changes(benchmark: Benchmark, official: Mapping[str, Any], splits: Mapping[str, Rows] | None) -> dict[str, Any]:
    """What differs from lm-eval's own task.

    Where the split of the examples has no local file they come from another one, else from the other items of the split
    that is asked: not the official examples, so a score says where its examples are from.
    """
    changes: dict[str, Any] = {}
    if benchmark.shots is not None:
        changes["num_fewshot"] = benchmark.shots
    if examples := benchmark.examples or official.get("fewshot_split"):
        changes["fewshot_split"] = examples
    if splits is None:
        return changes
    changes["custom_dataset"] = _dataset(splits)
    if examples and examples not in splits:
        asked = _asked(official)
        # As test_split, so that lm-eval keeps the question itself out of its examples.
        changes |= {"fewshot_split": next((name for name in splits if name != asked), asked), "test_split": asked}
    return changes


def _dataset(splits: Mapping[str, Rows]) -> Any:
    def dataset(**_: Any) -> dict[str, Any]:
        """lm-eval calls it with the task's metadata."""
        from datasets import Dataset  # type: ignore[import-untyped]

        return {name: Dataset.from_list(rows) for name, rows in splits.items()}

    return dataset


def _built(manager: Any, specs: Sequence[Any], names: Sequence[str]) -> Loaded:
    if _has_ifeval(manager, specs):
        check_punkt()
    try:
        with seeded():
            loaded = manager.load(list(specs))
    except (ConnectionError, FileNotFoundError) as error:
        raise UserError(
            f"the data of {list(names)} are not on this machine ({' '.join(str(error).split())[:200]}): "
            "put them into the hub cache, or name a folder of local files"
        ) from None
    built = loaded.get("groups", {})
    groups = {name: tuple(group.child_names) for name, group in built.items()}
    aggregates = {
        name: _aggregate(group.aggregate_metric_list) for name, group in built.items() if group.has_aggregation
    }
    return Loaded(loaded["tasks"], groups, aggregates)


def _aggregate(listed: Sequence[Any]) -> Aggregate:
    """Of what a group says of several metrics (AggMetricConfig) that of the one by which a task would count alone."""
    ranks = {metric: place for place, metric in enumerate(MAIN_METRICS)}
    main = min(listed, key=lambda one: ranks.get(one.metric, len(ranks)))
    return Aggregate(main.metric, tuple(main.filter_list or ()), main.weight_by_size)


def _configs(manager: Any, specs: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """What the files of all these tasks say, with what a group says otherwise of its member."""
    for spec, entry in _entries(manager, specs):
        yield {**((entry and entry.cfg) or {}), **(spec if isinstance(spec, dict) else {})}


def _entries(manager: Any, specs: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """All tasks and groups that are meant by names, and by groups of them: how each is meant, and its entry in

    lm-eval's index (None for a group that is written out).
    """
    for spec in specs:
        entry = manager.task_index.get(_name(spec))
        if entry is None:
            members = spec["task"] if isinstance(spec, dict) and isinstance(spec.get("task"), list) else []
        else:
            listed = (entry.cfg or {}).get("task")
            members = listed if isinstance(listed, list) else [name for name in sorted(entry.tags) if not entry.cfg]
        yield spec, entry
        yield from _entries(manager, members)


def _is_group(spec: Any) -> bool:
    """Whether a group is meant that is written out, or one that is changed where it is meant."""
    return isinstance(spec, dict) and "group" in spec


def _name(spec: Any) -> str:
    return str(spec["group"] if _is_group(spec) else spec["task"] if isinstance(spec, dict) else spec)


def check_punkt() -> None:
    """Two of IFEval's checks count sentences and words with it, and lm-eval would try to download it. Raises UserError

    where it is not here.
    """
    import nltk  # type: ignore[import-untyped]

    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        raise UserError(
            "IFEval needs nltk's data 'punkt_tab', which are not on this machine: run "
            "`python -m nltk.downloader punkt_tab` where there is a network, and name the folder in NLTK_DATA"
        ) from None
