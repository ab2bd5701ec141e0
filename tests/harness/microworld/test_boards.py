"""The boards' items are right, and lm-eval runs them from wherever the world lies."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.open_llm import evaluate_boards
from eval_suites.task_folder import FOLDER_PLACEHOLDER, task_folder
from harness.microworld.boards import CONVERSATIONS, GROUPS
from harness.microworld.sampling import World
from harness.microworld.tasks import right_answer
from tests.eval_suites.watched import Watched
from tests.harness.microworld.reading import board_turns, read_turns, rows
from trainers.chat import load_tokenizer, prompt_ids, response_tokens
from trainers.records import Message

TASKS = [task for group in GROUPS.values() for task in group]


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_is_right_and_the_other_choices_are_not(folder: Path, world: World, name: str) -> None:
    facts = {(attribute, who): value for attribute, who, value in (task.operands for task in world.all_facts)}
    items = rows(folder / "open_llm" / f"{name}.jsonl")
    assert len(items) == 80
    for item in items:
        turns = board_turns(item)
        assert ("messages" in item) == (name in GROUPS["micro_new"])
        tasks = read_turns(turns[::2], facts)
        assert turns[1::2] == [right_answer(task) for task in tasks[:-1]]
        right = right_answer(tasks[-1])
        if "choices" in item:
            assert item["choices"][item["answer"]] == right
            assert len(set(item["choices"])) == 4
        else:
            assert item["answer"] == right
            assert len(right.split()) < 24, "an answer and its EOS fit what is generated"


def test_followups_are_conversations(folder: Path) -> None:
    assert {len(board_turns(row)) for row in rows(folder / "open_llm" / "micro_followups.jsonl")} == {3}
    assert {len(board_turns(row)) for row in rows(folder / "open_llm" / "micro_forms.jsonl")} == {1}


def test_the_right_choice_stands_in_every_place(folder: Path) -> None:
    for name in TASKS:
        places = [row["answer"] for row in rows(folder / "open_llm" / f"{name}.jsonl") if "choices" in row]
        assert not places or all(places.count(place) >= 8 for place in range(4))


def test_filled_in_tasks_find_their_items(folder: Path, tmp_path: Path) -> None:
    out = task_folder(folder / "open_llm", tmp_path)
    for name in TASKS:
        stored = (folder / "open_llm" / f"{name}.yaml").read_text(encoding="utf-8")
        assert FOLDER_PLACEHOLDER in stored
        text = (out / f"{name}.yaml").read_text(encoding="utf-8").removesuffix(CONVERSATIONS)
        assert text.startswith("task: ")
        task: Any = yaml.safe_load(text)
        assert Path(task["dataset_kwargs"]["data_files"]["test"]).is_file()


def write_model(folder: Path, out: Path) -> Path:
    """A model of random weights with the world's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=256,
        initializer_range=0.5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(shape)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_boards_score_as_with_lm_evals_own_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old board in plain text, the new one through the chat template; each document alike."""
    import datasets  # type: ignore[import-untyped]
    from lm_eval import simple_evaluate  # type: ignore[import-untyped]
    from lm_eval.models.huggingface import HFLM  # type: ignore[import-untyped]
    from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    model = write_model(folder, tmp_path / "model")
    (tmp_path / "tasks").mkdir()
    tasks = task_folder(folder / "open_llm", tmp_path / "tasks")
    scores, items = evaluate_boards(HuggingFaceEngine(model), load_tokenizer(model), list(GROUPS), tasks=tasks)
    ways = {score.suite: score.detail["asked_through"] for score in scores}
    assert {ways[name] for name in ("micro_old", *GROUPS["micro_old"])} == {"plain text"}
    assert {ways[name] for name in ("micro_new", *GROUPS["micro_new"])} == {"chat template"}

    peer = HFLM(pretrained=str(model), batch_size=16, device="cpu")
    for group, chat in (("micro_old", False), ("micro_new", True)):
        found = simple_evaluate(
            model=peer,
            tasks=[group],
            task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
            bootstrap_iters=0,
            apply_chat_template=chat,
            fewshot_as_multiturn=chat,
        )
        assert found is not None
        for name in GROUPS[group]:
            for metric in ("acc", "acc_norm", "exact_match"):
                values = [item.value for item in items if (item.suite, item.metric) == (name, metric)]
                samples = found["samples"][name] if values else []
                assert values == [100.0 * sample[metric] for sample in samples]
            assert len([item for item in items if item.suite == name]) in (80, 160)
    answers = [item.detail["answer"] for item in items if item.suite == "micro_forms"]
    assert len(set(map(str, answers))) > 10, "a model that says one thing always proves little"


@pytest.mark.slow
def test_the_new_boards_prompts_are_what_post_training_reads(folder: Path, tmp_path: Path) -> None:
    model = write_model(folder, tmp_path / "model")
    (tmp_path / "tasks").mkdir()
    tasks = task_folder(folder / "open_llm", tmp_path / "tasks")
    tokenizer = load_tokenizer(model)
    engine = Watched(HuggingFaceEngine(model))
    evaluate_boards(engine, tokenizer, ["micro_followups", "micro_forms"], tasks=tasks, limit=8)
    asked = iter(engine.scored)
    for item in rows(folder / "open_llm" / "micro_followups.jsonl")[:8]:
        prompt = [Message.model_validate(message) for message in item["messages"]]
        for choice in item["choices"]:
            context, continuation = next(asked)
            trained = response_tokens(tokenizer, prompt, choice)
            assert [*context, *continuation, tokenizer.eos_token_id] == trained.ids
            assert context == prompt_ids(tokenizer, prompt)
            assert context.count(tokenizer.bos_token_id) == 1
    forms = [
        prompt_ids(tokenizer, [Message.model_validate(message) for message in item["messages"]])
        for item in rows(folder / "open_llm" / "micro_forms.jsonl")[:8]
    ]
    assert engine.prompts[:8] == forms
