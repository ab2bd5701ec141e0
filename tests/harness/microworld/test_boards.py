"""The boards' items are right, and lm-eval runs them from wherever the world lies."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from eval_suites.task_folder import FOLDER_PLACEHOLDER, task_folder
from harness.microworld.boards import GROUPS
from harness.microworld.sampling import World
from harness.microworld.tasks import right_answer
from tests.harness.microworld.reading import read_turns, rows

TASKS = [task for group in GROUPS.values() for task in group]


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_is_right_and_the_other_choices_are_not(folder: Path, world: World, name: str) -> None:
    facts = {(attribute, who): value for attribute, who, value in (task.operands for task in world.all_facts)}
    items = rows(folder / "open_llm" / f"{name}.jsonl")
    assert len(items) == 80
    for item in items:
        turns = [part.split(" answer :") for part in item["question"].split("question : ")[1:]]
        tasks = read_turns([request for request, _ in turns], facts)
        for task, (_, answer) in zip(tasks[:-1], turns[:-1], strict=True):
            assert answer.strip() == right_answer(task)
        right = right_answer(tasks[-1])
        if "choices" in item:
            assert item["choices"][item["answer"]] == right
            assert len(set(item["choices"])) == 4
        else:
            assert item["answer"] == right


def test_the_right_choice_stands_in_every_place(folder: Path) -> None:
    for name in TASKS:
        places = [row["answer"] for row in rows(folder / "open_llm" / f"{name}.jsonl") if "choices" in row]
        assert not places or all(places.count(place) >= 8 for place in range(4))


def test_filled_in_tasks_find_their_items(folder: Path, tmp_path: Path) -> None:
    out = task_folder(folder / "open_llm", tmp_path)
    for name in TASKS:
        stored = (folder / "open_llm" / f"{name}.yaml").read_text(encoding="utf-8")
        assert FOLDER_PLACEHOLDER in stored
        task: Any = yaml.safe_load((out / f"{name}.yaml").read_text(encoding="utf-8"))
        assert Path(task["dataset_kwargs"]["data_files"]["test"]).is_file()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_lm_eval_runs_both_boards(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets  # type: ignore[import-untyped]
    import torch
    from lm_eval import simple_evaluate  # type: ignore[import-untyped]
    from lm_eval.models.huggingface import HFLM  # type: ignore[import-untyped]
    from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=256,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(shape).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    model = HFLM(pretrained=str(tmp_path / "model"), batch_size=16, device="cpu")
    asked = "question : reverse : apple river answer :"
    context, continuation = model._encode_pair(asked, " river apple")
    assert context == tokenizer(asked)["input_ids"]
    assert tokenizer.decode(continuation) == "river apple"

    (tmp_path / "tasks").mkdir()
    tasks = task_folder(folder / "open_llm", tmp_path / "tasks")
    found = simple_evaluate(
        model=model,
        tasks=list(GROUPS),
        task_manager=TaskManager(include_path=str(tasks)),
        bootstrap_iters=0,
    )
    assert found is not None
    assert set(found["results"]) == {*GROUPS, *TASKS}
    for name in TASKS:
        scores = found["results"][name]
        assert found["n-samples"][name]["effective"] == 80
        generated = "choices" not in rows(folder / "open_llm" / f"{name}.jsonl")[0]
        for metric in ("exact_match",) if generated else ("acc", "acc_norm"):
            # A model of random weights guesses: about a quarter of four choices, nothing that it must say itself.
            assert scores[f"{metric},none"] <= (0.05 if generated else 0.5)
    for sample in found["samples"]["micro_addition"]:
        assert sample["arguments"][0][0] == sample["doc"]["question"]
        assert sample["target"] == sample["doc"]["answer"]
