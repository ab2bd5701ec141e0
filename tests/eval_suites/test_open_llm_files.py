"""The authors' files become the hub's rows, so that lm-eval's own tasks ask the same of both."""

import csv
import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eval_suites.open_llm_boards import BOARDS
from eval_suites.open_llm_files import read_splits
from eval_suites.open_llm_process import offline, seeded
from eval_suites.open_llm_tasks import Folder, load_tasks
from results.errors import UserError

Rows = list[dict[str, Any]]


def lines(*rows: Mapping[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def cells(*rows: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


class Case(NamedTuple):
    """A task; an author's files; the same items in the columns of the hub's copy, by split."""

    task: str
    files: Mapping[str, str]
    hub: Mapping[str, Rows]


def arc(number: int, right: str, *choices: str) -> tuple[dict[str, Any], dict[str, Any]]:
    labels = "ABCDE"[: len(choices)]
    stem = f"Which of these is number {number}?"
    listed = [{"text": text, "label": label} for text, label in zip(choices, labels, strict=True)]
    asked = {"id": f"Q{number}", "question": {"stem": stem, "choices": listed}, "answerKey": right}
    columns = {"text": list(choices), "label": list(labels)}
    return asked, {"id": f"Q{number}", "question": stem, "choices": columns, "answerKey": right}


ARC = [arc(i, "B", "one", "two", "three", "four") for i in range(27)] + [arc(99, "C", "x", "y", "z")]
SWAG = {
    "ind": 7,
    "activity_label": "Pole vault",
    "ctx_a": "A man runs [header] with a pole.",
    "ctx_b": "he",
    "ctx": "A man runs with a pole. he",
    "split": "val",
    "split_type": "indomain",
    "endings": ["jumps.", "sits [substeps] down.", "sleeps.", "[title] eats."],
    "source_id": "activitynet~v_1",
}
QUESTIONS = [{"question": f"What is {i} + 1?", "answer": f"It is {i} + 1 = {i + 1}.\n#### {i + 1}"} for i in range(7)]
TRUTH = {
    "question": "What happens if you eat seeds?",
    "mc1_targets": {"Nothing.": 1, "You die.": 0},
    "mc2_targets": {"Nothing.": 1, "They pass.": 1, "You die.": 0},
}
TRUTH_HUB = {
    "question": TRUTH["question"],
    "mc1_targets": {"choices": ["Nothing.", "You die."], "labels": [1, 0]},
    "mc2_targets": {"choices": ["Nothing.", "They pass.", "You die."], "labels": [1, 1, 0]},
}
GAPS = [
    {"sentence": f"Ann met Bea {i} times so _ was glad.", "option1": "Ann", "option2": "Bea", "answer": str(1 + i % 2)}
    for i in range(8)
]
FOUNDRY = [
    {
        "context_options": [f"Ann met Bea {i} times so Ann", f"Ann met Bea {i} times so Bea"],
        "continuation": "was glad.",
        "gold": i % 2,
    }
    for i in range(8)
]
MMLU = [[f"Where is {i}, exactly?", "here", "there", "nowhere", "home"] for i in range(6)]
MMLU_HUB = [{"question": q, "subject": "anatomy", "choices": c, "answer": i % 4} for i, (q, *c) in enumerate(MMLU)]
IFEVAL = {
    "key": 1000,
    "prompt": "Say it twice, without commas.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{}, {"relation": "at least", "num_words": 3}],
}

CASES = [
    Case(
        "arc_challenge",
        {
            "arc_challenge/ARC-Challenge-Train.jsonl": lines(*(asked for asked, _ in ARC)),
            "arc_challenge/ARC-Challenge-Test.jsonl": lines(*(asked for asked, _ in ARC[-2:])),
        },
        {"train": [row for _, row in ARC], "test": [row for _, row in ARC[-2:]]},
    ),
    Case(
        "hellaswag",
        {
            "hellaswag/hellaswag_train.jsonl": lines(*({**SWAG, "ind": i, "label": i % 4} for i in range(12))),
            "hellaswag/hellaswag_val.jsonl": lines({**SWAG, "label": 3}),
        },
        {"train": [{**SWAG, "ind": i, "label": str(i % 4)} for i in range(12)], "validation": [{**SWAG, "label": "3"}]},
    ),
    Case("truthfulqa_mc1", {"truthfulqa/mc_task.json": json.dumps([TRUTH])}, {"validation": [TRUTH_HUB]}),
    Case("truthfulqa_mc2", {"truthfulqa/mc_task.json": json.dumps([TRUTH])}, {"validation": [TRUTH_HUB]}),
    Case(
        "winogrande",
        {"winogrande/train_xl.jsonl": lines(*GAPS), "winogrande/dev.jsonl": lines(*GAPS[:2])},
        {"train": GAPS, "validation": GAPS[:2]},
    ),
    Case(
        "winogrande",
        {"winogrande/train_xl.jsonl": lines(*GAPS), "winogrande/winogrande.jsonl": lines(*FOUNDRY[:2])},
        {"train": GAPS, "validation": GAPS[:2]},
    ),
    Case(
        "gsm8k",
        {"gsm8k/train.jsonl": lines(*QUESTIONS), "gsm8k/test.jsonl": lines(*QUESTIONS[:1])},
        {"train": QUESTIONS, "test": QUESTIONS[:1]},
    ),
    Case(
        "mmlu_anatomy",
        {
            "mmlu/dev/anatomy_dev.csv": cells(*([*row, "ABCD"[i % 4]] for i, row in enumerate(MMLU))),
            "mmlu/test/anatomy_test.csv": cells([*MMLU[0], "A"]),
        },
        {"dev": MMLU_HUB, "test": MMLU_HUB[:1]},
    ),
    Case(
        "mmlu_anatomy",
        {
            "mmlu/anatomy_dev.csv": cells(
                ["question", "choice0", "choice1", "choice2", "choice3", "answer"],
                *([*row, i % 4] for i, row in enumerate(MMLU)),
            ),
            "mmlu/anatomy_test.csv": cells([*MMLU[0], 0]),
        },
        {"dev": MMLU_HUB, "test": MMLU_HUB[:1]},
    ),
    Case(
        "leaderboard_bbh_navigate",
        {"bbh/navigate.json": json.dumps({"canary": "c", "examples": [{"input": "Turn left.", "target": "No"}]})},
        {"test": [{"input": "Turn left.", "target": "No"}]},
    ),
    Case(
        "leaderboard_musr_team_allocation",
        {
            "leaderboard_musr_team_allocation/team_allocation.jsonl": lines(
                {"narrative": "n", "question": "Who?", "choices": "['a', 'b']", "answer_choice": "b"}
            )
        },
        {"team_allocation": [{"narrative": "n", "question": "Who?", "choices": "['a', 'b']", "answer_choice": "b"}]},
    ),
]


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def benchmark_of(task: str) -> Any:
    return next(b for board in BOARDS.values() for b in board.benchmarks if task in b.tasks)


def official(case: Case) -> Any:
    """lm-eval's own task on the hub's rows, loaded by nothing of ours, at the board's shots."""
    import lm_eval.tasks  # type: ignore[import-untyped]
    from datasets import Dataset  # type: ignore[import-untyped]

    rows = {split: Dataset.from_list(rows) for split, rows in case.hub.items()}
    changes: dict[str, Any] = {"custom_dataset": lambda **_: rows}
    benchmark = benchmark_of(case.task)
    if benchmark.shots is not None:
        changes["num_fewshot"] = benchmark.shots
    if benchmark.examples is not None:
        changes["fewshot_split"] = benchmark.examples
    manager = lm_eval.tasks.TaskManager()
    return manager.load([{"group": "one", "task": [{"task": case.task, **changes}]}])["tasks"][case.task]


def all_that_is_asked(task: Any) -> list[Any]:
    """Of each document: the whole prompt, the requests, the target."""
    task.set_fewshot_seed(seed=1234)
    task.build_all_requests(limit=None, rank=0, world_size=1)
    asked = [(i.doc_id, i.idx, i.request_type, i.arguments) for i in task.instances]
    return [asked, [task.doc_to_target(doc) for doc in task.eval_docs], task.config.metric_list, task.config.repeats]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.task)
def test_lm_evals_own_task_asks_the_same_of_the_hubs_rows(case: Case, tmp_path: Path) -> None:
    with offline(), seeded():
        own = load_tasks((benchmark_of(case.task).name,), None, Folder.read(write(tmp_path, case.files), "files"))
        with seeded():
            asked, wanted = all_that_is_asked(own.tasks[case.task]), all_that_is_asked(official(case))
    assert asked == wanted
    assert asked[0]


def test_ifevals_rows_are_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, {"ifeval/input_data.jsonl": lines(IFEVAL)})
    assert read_splits(tmp_path, "leaderboard_ifeval") == {"train": [IFEVAL]}


def test_zipped_files_are_the_same(tmp_path: Path) -> None:
    for case in CASES:
        plain, zipped = tmp_path / "plain", tmp_path / "zipped"
        write(plain, case.files)
        for name, text in case.files.items():
            path = zipped / f"{name}.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(text.encode()))
        found = read_splits(plain, case.task)
        assert found
        assert read_splits(zipped, case.task) == found


def test_a_gap_at_the_end_of_a_sentence(tmp_path: Path) -> None:
    rows = [
        {"context_options": ["He lost the red hat", "He lost the red pen"], "continuation": ".", "gold": 1},
        {"context_options": ["So cat", "So car"], "continuation": "won.", "gold": 0},
    ]
    write(tmp_path, {"winogrande/winogrande.jsonl": lines(*rows)})
    assert read_splits(tmp_path, "winogrande")["validation"] == [
        {"sentence": "He lost the red _.", "option1": "hat", "option2": "pen", "answer": "2"},
        {"sentence": "So _ won.", "option1": "cat", "option2": "car", "answer": "1"},
    ]


def test_what_is_not_there_has_no_splits(tmp_path: Path) -> None:
    assert read_splits(tmp_path, "gsm8k") == {}
    assert read_splits(tmp_path, "leaderboard_gpqa_main") == {}


BAD = [
    ("arc_challenge", "arc_challenge/ARC-Challenge-Test.jsonl", lines({**ARC[0][0], "answerKey": "Z"}), "none of the"),
    ("arc_challenge", "arc_challenge/ARC-Challenge-Test.jsonl", lines({"question": "text"}), "not an object"),
    ("hellaswag", "hellaswag/hellaswag.jsonl", lines({**SWAG, "label": 4}), "from 0 to 3"),
    ("hellaswag", "hellaswag/hellaswag.jsonl", lines({"label": 1}), "field 'endings' is missing"),
    ("truthfulqa_mc2", "truthfulqa/mc_task.json", json.dumps([{**TRUTH, "mc1_targets": {"a": 0, "b": 1}}]), "right an"),
    ("truthfulqa_mc2", "truthfulqa/mc_task.json", json.dumps([{**TRUTH, "mc2_targets": {"a": 2}}]), "not 1 and 0"),
    ("truthfulqa_mc2", "truthfulqa/mc_task.json", "{", "not JSON"),
    ("winogrande", "winogrande/dev.jsonl", lines({**GAPS[0], "sentence": "no gap"}), "0 gaps"),
    ("winogrande", "winogrande/dev.jsonl", lines({**GAPS[0], "answer": "3"}), "not '1' or '2'"),
    ("winogrande", "winogrande/dev.jsonl", lines({**FOUNDRY[0], "context_options": ["a"]}), "1 beginnings"),
    ("gsm8k", "gsm8k/test.jsonl", lines({"question": "q", "answer": "7"}), "#### number"),
    ("gsm8k", "gsm8k/test.jsonl.gz", "not zipped", "cannot be read"),
    ("mmlu_anatomy", "mmlu/anatomy_test.csv", cells(["q", "a", "b", "c", "d", "E"]), "A to D"),
    ("mmlu_anatomy", "mmlu/anatomy_test.csv", cells(["q", "a", "b", "c", "A"]), "four choices"),
    ("leaderboard_bbh_snarks", "bbh/snarks.json", json.dumps([1]), "the list 'examples'"),
    ("leaderboard_bbh_snarks", "bbh/snarks.json", json.dumps({"examples": [{"input": "x"}]}), "'target' is missing"),
    ("leaderboard_bbh_snarks", "bbh/snarks.json", "[", "not JSON"),
    ("leaderboard_ifeval", "ifeval/input_data.jsonl", lines({**IFEVAL, "kwargs": [{}]}), "each of the 2 instructions"),
]


@pytest.mark.parametrize(("task", "name", "text", "fault"), BAD)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, task: str, name: str, text: str, fault: str) -> None:
    write(tmp_path, {name: text})
    with pytest.raises(UserError, match=fault) as error:
        read_splits(tmp_path, task)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)
