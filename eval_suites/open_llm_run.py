"""Running lm-eval's tasks with a model: its `evaluate`, with what its `simple_evaluate` sets before it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from eval_suites.board_rows import Asked
from eval_suites.open_llm_boards import SIZES
from eval_suites.open_llm_process import SEED, compile_templates_once, seeded


def run_tasks(
    model: Any,
    tasks: Mapping[str, Any],
    through_chat: AbstractSet[str],
    limit: int | None = None,
    samples: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Asked]:
    """What came of each task, less lm-eval's survey of the machine.

    model:        an lm_eval.api.model.LM
    tasks:        lm_eval.api.task.Task by name
    through_chat: the tasks that are asked through the chat template, their examples as turns
    limit:        the first so many items of each task
    samples:      in place of it, the places of the items to ask
    """
    from lm_eval.evaluator import evaluate  # type: ignore[import-untyped]

    compile_templates_once()
    for task in tasks.values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=SEED)
    found: dict[str, Asked] = {}
    for chat in (False, True):
        some = {name: task for name, task in tasks.items() if (name in through_chat) == chat}
        if not some:
            continue
        with seeded():
            results = evaluate(
                lm=model,
                task_dict={"tasks": some, "groups": {}, "group_map": {}},
                limit=limit,
                samples=samples,
                bootstrap_iters=0,
                log_samples=True,
                cache_requests=False,
                apply_chat_template=chat,
                fewshot_as_multiturn=chat,
            )
        for name, task in some.items():
            found[name] = Asked(
                results={heading: of[name] for heading, of in results.items() if _has(of, name)},
                expected=_expected(name, limit),
                examples=_examples(task),
                through_chat=chat,
            )
    return {name: found[name] for name in tasks}


def _has(results: object, name: str) -> bool:
    return isinstance(results, Mapping) and name in results


def _expected(name: str, limit: int | None) -> int:
    """How many items a board's task has, whatever is there of it; 0 for another task: as many as are there."""
    size = SIZES.get(name, 0)
    return size if limit is None else min(limit, size)


def _examples(task: Any) -> str:
    """Where the examples before a question are from."""
    if not task.config.num_fewshot:
        return "none"
    split = task.fewshot_cfg.split
    if split is None:
        return "the task's own"
    return f"{split}, other items" if split == task.config.test_split else str(split)
