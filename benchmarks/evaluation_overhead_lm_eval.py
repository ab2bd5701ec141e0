"""A task to choose and one to answer: as the stage of a board, and by lm-eval's own `simple_evaluate`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.evaluation_overhead import Case, perform
from eval_suites.engines import Placement
from eval_suites.quiet import quiet
from harness.artifacts import folder_digest
from harness.kinds import BOARDS
from harness.kinds.boards import BoardsSpec
from harness.stage import External, Stage
from results.rows import read_scores

CHOICES, ANSWERS = 512, 256  # items of lm-eval's two tasks
NEW_TOKENS = 32
CHOICE = """
task: overhead_choice
dataset_path: json
dataset_kwargs: {data_files: {test: "${FOLDER}/choice.jsonl"}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: choices
doc_to_target: label
metric_list: [{metric: acc}, {metric: acc_norm}]
"""
ANSWER = """
task: overhead_answer
dataset_path: json
dataset_kwargs: {data_files: {test: "${FOLDER}/answer.jsonl"}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{target}}"
generation_kwargs: {until: ["question"], max_gen_toks: %d, do_sample: false}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
TASKS = ("overhead_choice", "overhead_answer")


def lm_eval_case(folder: Path, base: Path, prompts: Sequence[Sequence[int]], batch: int, device: str) -> Case:
    """A task to choose and one to answer, from loading the checkpoint on; by the same model in the same batches."""
    tasks = write_tasks(folder / "tasks", base, prompts)
    return Case(
        f"lm-eval: {CHOICES} questions to choose, {ANSWERS} to answer, from loading the checkpoint on",
        lambda: _lm_eval_stage(folder, base, tasks, batch),
        lambda: lm_eval_direct(folder, base, tasks, batch, device),
    )


def write_tasks(folder: Path, base: Path, prompts: Sequence[Sequence[int]]) -> Path:
    """Questions of the texts of these ids, with four choices that are ends of other questions."""
    from trainers.chat import load_tokenizer

    folder.mkdir(parents=True)
    tokenizer = load_tokenizer(base)
    texts = [str(tokenizer.decode(list(prompt))) for prompt in prompts]

    def end(number: int) -> str:
        return " ".join(texts[number % len(texts)].split()[-1 - number % 4 :])

    choice = [
        {"question": texts[i % len(texts)], "choices": [end(i * 7 + k * 3 + 1) for k in range(4)], "label": i // 4 % 4}
        for i in range(CHOICES)
    ]
    answer = [{"question": texts[i % len(texts)], "target": end(i + 1)} for i in range(ANSWERS)]
    for name, rows, text in (("choice", choice, CHOICE), ("answer", answer, ANSWER % NEW_TOKENS)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def _lm_eval_stage(folder: Path, base: Path, tasks: Path, batch: int) -> dict[str, list[Any]]:
    from eval_suites.open_llm_tasks import load_tasks

    load_tasks.cache_clear()  # lm-eval reads its tasks at every call, and so do we
    inputs = {name: External(path, folder_digest(path)) for name, path in (("model", base), ("tasks", tasks))}
    stage = Stage(BOARDS, BoardsSpec(groups=TASKS), inputs)
    _, items = read_scores(perform(stage, folder / "home", Placement(batch_size=batch)))
    found: dict[str, list[Any]] = {"answers": []}
    for item in items:
        found.setdefault(item.metric, []).append(item.value)
        if item.metric == "exact_match":
            found["answers"].append(item.detail["answer"])
    return found


def lm_eval_direct(folder: Path, base: Path, tasks: Path, batch: int, device: str) -> dict[str, list[Any]]:
    """lm-eval's own `simple_evaluate` with its own Hugging Face model, without its bootstrap."""
    from lm_eval import simple_evaluate  # type: ignore[import-untyped]
    from lm_eval.models.huggingface import HFLM  # type: ignore[import-untyped]
    from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]

    from eval_suites.task_folder import task_folder

    own = folder / "direct"
    own.mkdir(exist_ok=True)
    with quiet(), as_lm_eval_has_it():
        model = HFLM(pretrained=str(base), dtype="float32", batch_size=batch, add_bos_token=True, device=device)
        manager = TaskManager(include_path=str(task_folder(tasks, own)), include_defaults=False)
        done = simple_evaluate(model=model, tasks=list(TASKS), task_manager=manager, bootstrap_iters=0)
    choice, answer = (done["samples"][name] for name in TASKS)
    return {
        **{metric: [100.0 * row[metric] for row in choice] for metric in ("acc", "acc_norm")},
        "exact_match": [100.0 * row["exact_match"] for row in answer],
        "answers": [row["filtered_resps"][0] for row in answer],
    }


@contextmanager
def as_lm_eval_has_it() -> Iterator[None]:
    """lm-eval without our cache of compiled templates (see open_llm_process), which is put back afterwards."""
    from lm_eval.utils import env  # type: ignore[import-untyped]

    ours = env.__dict__.pop("from_string", None)
    try:
        yield
    finally:
        if ours is not None:
            env.from_string = ours
