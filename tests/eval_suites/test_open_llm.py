import json
import math
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from eval_suites.checkpoint import Checkpoint, load_checkpoint
from eval_suites.engine import Engine
from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.open_llm import evaluate_boards
from results.errors import UserError
from results.rows import Item, Score
from tests.eval_suites.tiny import WORDS, write_checkpoint
from tests.eval_suites.watched import Watched
from trainers.chat import load_tokenizer, prompt_ids, response_tokens
from trainers.records import Message

BOS, EOS = 2, 3
DOCUMENTS = 20

CHOICE = """
task: tiny_choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "Question : {{{{question}}}} ? Answer :"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{label}}}}"
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
metadata: {{version: 1.5}}
"""
LIKELIHOOD = """
task: tiny_likelihood
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{' ' + word}}}}"
metric_list: [{{metric: acc}}]
metadata: {{version: 1.0}}
"""
GENERATE = """
task: tiny_generate
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}} Answer :"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["w7"], max_gen_toks: 6, do_sample: false}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 2.0}}
"""
CHAT_METRICS = {"multiple_choice": "acc", "generate_until": "exact_match"}
CHAT = """
task: {name}
class: !function eval_suites.open_llm_turns.TurnsTask
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {output}
doc_to_text: "{{{{messages[-1].content}}}}"
{choices}
doc_to_target: {target}
generation_kwargs: {{until: [], max_gen_toks: 6}}
metric_list: [{{metric: {metric}, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0, chat: true}}
"""
GROUPS = """
group: tiny_board
task: [tiny_choice, tiny_inner]
metadata: {version: 1}
---
"""
INNER = """
group: tiny_inner
task: [tiny_likelihood, tiny_generate]
metadata: {version: 1}
"""


def documents(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """Random words; half the continuations and answers are the model's own, so that no metric is 0 or 100."""
    pick = random.Random(1)
    rows = []
    for i in range(DOCUMENTS):
        question = " ".join(pick.choices(WORDS[:40], k=pick.randint(2, 12)))
        choices = [" ".join(pick.choices(WORDS[:40], k=pick.randint(1, 4))) for _ in range(4)]
        greedy = arg_max(checkpoint, encode(checkpoint, question))
        answer = generate(checkpoint, f"{question} Answer :")
        rows.append(
            {
                "question": question,
                "choices": choices,
                "label": pick.randrange(4),
                "word": checkpoint.tokenizer.decode([greedy]) if i % 2 and greedy > 5 else "w1",
                "answer": answer if i % 3 else "w2 w3",
            }
        )
    return rows


# --- the same numbers by hand, with nothing but transformers --------------------------------------------------------


def encode(checkpoint: Checkpoint, text: str) -> list[int]:
    return [BOS, *checkpoint.tokenizer.encode(text, add_special_tokens=False)]


def log_probs(checkpoint: Checkpoint, ids: Sequence[int]) -> Any:
    import torch

    with torch.no_grad():
        return checkpoint.model(torch.tensor([list(ids)])).logits[0].log_softmax(-1)


def arg_max(checkpoint: Checkpoint, ids: Sequence[int]) -> int:
    return int(log_probs(checkpoint, ids)[-1].argmax())


def generate(checkpoint: Checkpoint, text: str) -> str:
    ids = encode(checkpoint, text)
    start = len(ids)
    for _ in range(6):
        ids.append(arg_max(checkpoint, ids))
        if ids[-1] == EOS:
            break
    return str(checkpoint.tokenizer.decode(ids[start:], skip_special_tokens=True)).split("w7")[0]


def likelihood(checkpoint: Checkpoint, context: str, continuation: str) -> float:
    ids, length = encode(checkpoint, f"{context} {continuation}"), len(encode(checkpoint, context))
    table = log_probs(checkpoint, ids)
    return sum(float(table[i - 1, ids[i]]) for i in range(length, len(ids)))


def choice_by_hand(checkpoint: Checkpoint, row: dict[str, Any], norm: Callable[[str], float]) -> float:
    context = f"Question : {row['question']} ? Answer :"
    values = [likelihood(checkpoint, context, choice) / norm(choice) for choice in row["choices"]]
    return 100.0 * bool(max(range(4), key=values.__getitem__) == row["label"])


# --------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[False, True], ids=["plain tokenizer", "tokenizer that adds BOS"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), tokenizer_adds_bos=request.param)


def write_tasks(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, text in (("choice", CHOICE), ("likelihood", LIKELIHOOD), ("generate", GENERATE)):
        (folder / f"{name}.yaml").write_text(text.format(data=data))
    (folder / "board.yaml").write_text(GROUPS.removesuffix("---\n"))
    (folder / "inner.yaml").write_text(INNER)
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, Any]]:
    return documents(load_checkpoint(folder))


@pytest.fixture(scope="module")
def tasks(folder: Path, rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tasks(tmp_path_factory.mktemp("tasks") / "board", rows)


def evaluate(
    folder: Path, tasks: Path, groups: Sequence[str], engine: Engine | None = None, **options: Any
) -> tuple[list[Score], list[Item]]:
    """With an engine of batches of seven, so that batches are of uneven sizes."""
    engine = engine or HuggingFaceEngine(folder, batch_size=7)
    return evaluate_boards(engine, load_tokenizer(folder), groups, tasks=tasks, **options)


@pytest.fixture(scope="module")
def outcome(folder: Path, tasks: Path) -> tuple[list[Score], list[Item]]:
    return evaluate(folder, tasks, ["tiny_board"])


def score(scores: list[Score], suite: str, metric: str) -> Score:
    (found,) = [score for score in scores if (score.suite, score.metric) == (suite, metric)]
    return found


def values(items: list[Item], suite: str, metric: str) -> list[float | None]:
    return [item.value for item in items if (item.suite, item.metric) == (suite, metric)]


@pytest.mark.slow
def test_every_item_is_what_a_hand_computation_gives(
    folder: Path, rows: list[dict[str, Any]], outcome: tuple[list[Score], list[Item]]
) -> None:
    checkpoint = load_checkpoint(folder)
    scores, items = outcome
    wanted = {
        ("tiny_choice", "acc"): [choice_by_hand(checkpoint, row, lambda _: 1.0) for row in rows],
        ("tiny_choice", "acc_norm"): [
            choice_by_hand(checkpoint, row, lambda choice: float(len(choice))) for row in rows
        ],
        ("tiny_likelihood", "acc"): [
            100.0 * (arg_max(checkpoint, encode(checkpoint, row["question"])) == encode(checkpoint, row["word"])[1])
            for row in rows
        ],
        ("tiny_generate", "exact_match"): [
            100.0 * (generate(checkpoint, f"{row['question']} Answer :") == row["answer"]) for row in rows
        ],
    }
    for (suite, metric), by_hand in wanted.items():
        assert values(items, suite, metric) == by_hand, (suite, metric)
        mean = sum(by_hand) / DOCUMENTS
        assert 0 < mean < 100, "a metric at its end proves little"
        row = score(scores, suite, metric)
        assert row.value == pytest.approx(mean)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in by_hand) / (DOCUMENTS - 1))
        assert row.standard_error == pytest.approx(deviation / math.sqrt(DOCUMENTS))
        assert (row.n_expected, row.n_scored) == (DOCUMENTS, DOCUMENTS)
    assert wanted["tiny_choice", "acc"] != wanted["tiny_choice", "acc_norm"]


@pytest.mark.slow
def test_a_group_is_the_mean_of_its_tasks(outcome: tuple[list[Score], list[Item]]) -> None:
    scores, items = outcome
    main = [
        score(scores, "tiny_choice", "acc_norm"),
        score(scores, "tiny_likelihood", "acc"),
        score(scores, "tiny_generate", "exact_match"),
    ]
    choice, likely, generated = [row.value or 0.0 for row in main]
    board = score(scores, "tiny_board", "average")
    assert board.value == pytest.approx((choice + likely + generated) / 3)
    assert board.standard_error == pytest.approx(math.hypot(*(row.standard_error or 0.0 for row in main)) / 3)
    assert board.n_expected == board.n_scored == 3 * DOCUMENTS
    assert board.detail["members"] == {row.suite: row.metric for row in main}
    assert not [item for item in items if item.suite == "tiny_board"]


@pytest.mark.slow
def test_rows_say_what_was_run(outcome: tuple[list[Score], list[Item]]) -> None:
    scores, items = outcome
    detail = score(scores, "tiny_choice", "acc").detail
    assert (detail["task_version"], detail["shots"], detail["unit"]) == ("1.5", 0, "percent")
    assert (detail["metric"], detail["filter"], detail["asked_through"]) == ("acc", "none", "plain text")
    generated = score(scores, "tiny_generate", "exact_match").detail
    assert 0 < float(str(generated["termination_rate"])) <= 100
    assert 0 < float(str(generated["mean_tokens"])) <= 6
    assert "mean_tokens" not in detail
    assert str(detail["library"]).startswith("lm-eval 0.")
    assert (
        len(
            {
                score(scores, s, m).detail["task_hash"]
                for s, m in (("tiny_choice", "acc"), ("tiny_generate", "exact_match"))
            }
        )
        == 2
    )
    assert len(str(detail["task_hash"])) == 64
    names = [item.item for item in items if (item.suite, item.metric) == ("tiny_choice", "acc")]
    assert len(set(names)) == DOCUMENTS
    assert names == [item.item for item in items if (item.suite, item.metric) == ("tiny_choice", "acc_norm")]
    answers = [item.detail["answer"] for item in items if item.suite == "tiny_generate"]
    assert len(set(map(str, answers))) > 3


def begins_with_one_bos(ids: Sequence[int]) -> bool:
    return ids[0] == BOS and list(ids).count(BOS) == 1


@pytest.mark.slow
def test_every_input_begins_with_exactly_one_bos(folder: Path, tasks: Path) -> None:
    engine = Watched(HuggingFaceEngine(folder))
    evaluate(folder, tasks, ["tiny_board"], engine, limit=4)
    assert len(engine.scored) == 4 * 5
    assert len(engine.prompts) >= 4
    assert all(map(begins_with_one_bos, [*engine.prompts, *(context for context, _ in engine.scored)]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_scores_are_those_of_lm_evals_own_model(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """Of a tokenizer that adds BOS by itself: without, lm-eval's own model reads none."""
    from lm_eval import simple_evaluate  # type: ignore[import-untyped]
    from lm_eval.models.huggingface import HFLM  # type: ignore[import-untyped]
    from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]

    folder = write_checkpoint(tmp_path / "checkpoint", tokenizer_adds_bos=True)
    tasks = write_tasks(tmp_path / "tasks", rows)
    checkpoint = load_checkpoint(folder)
    model = HFLM(pretrained=checkpoint.model, tokenizer=checkpoint.tokenizer, batch_size=7)
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    found = simple_evaluate(model=model, tasks=["tiny_board"], task_manager=manager, bootstrap_iters=0)
    assert found is not None
    scores, items = evaluate(folder, tasks, ["tiny_board"])
    for task, metrics in {"tiny_choice": ("acc", "acc_norm"), "tiny_generate": ("exact_match",)}.items():
        for metric in metrics:
            assert score(scores, task, metric).value == pytest.approx(100 * found["results"][task][f"{metric},none"])
            own = [100.0 * sample[metric] for sample in found["samples"][task]]
            assert values(items, task, metric) == own
    answers = [item.detail["answer"] for item in items if item.suite == "tiny_generate"]
    assert answers == [sample["filtered_resps"][0] for sample in found["samples"]["tiny_generate"]]


def conversation(row: dict[str, Any]) -> list[Message]:
    """System, user, assistant, user."""
    words = row["question"].split()
    said = [("system", words[0]), ("user", row["question"]), ("assistant", row["choices"][0]), ("user", words[-1])]
    return [Message.model_validate({"role": role, "content": text}) for role, text in said]


@pytest.fixture(scope="module")
def chats(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks of conversations: one to score, one to answer."""
    folder = tmp_path_factory.mktemp("chats")
    data = folder / "data.jsonl"
    turns = [{**row, "messages": [message.model_dump() for message in conversation(row)]} for row in rows]
    data.write_text("".join(json.dumps(row) + "\n" for row in turns))
    for output, metric in CHAT_METRICS.items():
        chosen = output == "multiple_choice"
        text = CHAT.format(
            name=f"chat_{metric}",
            data=data,
            output=output,
            metric=metric,
            choices="doc_to_choice: choices" if chosen else "",
            target="label" if chosen else "answer",
        )
        (folder / f"{metric}.yaml").write_text(
            text.replace("generation_kwargs", "# generation_kwargs") if chosen else text
        )
    return folder


@pytest.mark.slow
def test_training_generation_and_boards_see_the_same_ids(folder: Path, chats: Path, rows: list[dict[str, Any]]) -> None:
    tokenizer = load_tokenizer(folder)
    engine = Watched(HuggingFaceEngine(folder))
    scores, _ = evaluate(folder, chats, ["chat_acc", "chat_exact_match"], engine)
    assert {row.detail["asked_through"] for row in scores} == {"chat template"}
    scored = iter(engine.scored)
    for row in rows:
        prompt = conversation(row)
        ids = prompt_ids(tokenizer, prompt)
        assert begins_with_one_bos(ids)
        assert ids in engine.prompts
        for choice in row["choices"]:
            context, continuation = next(scored)
            trained = response_tokens(tokenizer, prompt, choice)
            assert context == ids
            assert [*context, *continuation, EOS] == trained.ids
            assert [*continuation, EOS] == [i for i, learned in zip(*trained, strict=True) if learned]
    assert next(scored, None) is None


@pytest.mark.slow
def test_any_task_can_be_asked_through_the_chat_template(
    folder: Path, tasks: Path, chats: Path, rows: list[dict[str, Any]]
) -> None:
    tokenizer = load_tokenizer(folder)
    engine = Watched(HuggingFaceEngine(folder))
    scores, _ = evaluate(folder, tasks, ["tiny_choice"], engine, chat=True)
    asked = [Message(role="user", content=f"Question : {rows[0]['question']} ? Answer :")]
    assert engine.scored[0][0] == prompt_ids(tokenizer, asked)
    assert score(scores, "tiny_choice", "acc").detail["asked_through"] == "chat template"
    with pytest.raises(UserError, match="chat_acc has conversations: ask it through the chat template"):
        evaluate(folder, chats, ["chat_acc"], engine, chat=False)


@pytest.mark.slow
def test_a_stopped_run_takes_up_its_answers(
    folder: Path, tasks: Path, tmp_path: Path, outcome: tuple[list[Score], list[Item]]
) -> None:
    log = tmp_path / "answers.jsonl"
    group = ["tiny_board"]
    assert evaluate(folder, tasks, group, log=log) == outcome
    engine = Watched(HuggingFaceEngine(folder, batch_size=7))
    assert evaluate(folder, tasks, group, engine, log=log) == outcome
    assert engine.prompts == []


@pytest.mark.slow
def test_calls_in_one_process_do_not_touch_each_other(
    folder: Path, tasks: Path, outcome: tuple[list[Score], list[Item]], tmp_path: Path
) -> None:
    import torch

    other = write_checkpoint(tmp_path / "other", seed=9)
    state = random.getstate(), torch.random.get_rng_state()
    variables = dict(os.environ)
    elsewhere = evaluate(other, tasks, ["tiny_board"])
    assert elsewhere != outcome
    assert evaluate(folder, tasks, ["tiny_board"]) == outcome
    assert evaluate(other, tasks, ["tiny_board"]) == elsewhere
    assert random.getstate() == state[0]
    assert torch.equal(torch.random.get_rng_state(), state[1])
    assert dict(os.environ) == variables


@pytest.mark.slow
def test_limit_is_what_is_expected(folder: Path, tasks: Path) -> None:
    scores, items = evaluate(folder, tasks, ["tiny_choice"], limit=3)
    assert [(row.metric, row.n_expected, row.n_scored) for row in scores] == [("acc", 3, 3), ("acc_norm", 3, 3)]
    assert len(items) == 6


@pytest.mark.slow
def test_long_prompts_keep_their_bos_and_are_counted(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    short = write_checkpoint(tmp_path / "short", context=16)
    engine = Watched(HuggingFaceEngine(short))
    long_rows = [{**row, "question": "w1 " * 30} if i < 4 else row for i, row in enumerate(rows)]
    tasks = write_tasks(tmp_path / "board", long_rows)
    scores, _ = evaluate(short, tasks, ["tiny_likelihood", "tiny_generate"], engine)
    assert all(map(begins_with_one_bos, [*engine.prompts, *(context for context, _ in engine.scored)]))
    read = [len(context) + len(continuation) - 1 for context, continuation in engine.scored]
    assert max(read) == 16, "a shortened input fills the context"
    assert max(map(len, engine.prompts)) == 16 - 6
    assert score(scores, "tiny_likelihood", "acc").detail["prompts_shortened"] == 4
    assert int(str(score(scores, "tiny_generate", "exact_match").detail["prompts_shortened"])) >= 4


@pytest.mark.slow
def test_users_mistakes(folder: Path, tasks: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder of lm-eval tasks"):
        evaluate(folder, tmp_path / "absent", ["tiny_board"])
    with pytest.raises(UserError, match=r"knows no task or group \['tiny_bored'\], nor does"):
        evaluate(folder, tasks, ["tiny_bored"])
    with pytest.raises(UserError, match="no such folder of the boards' files"):
        evaluate(folder, tasks, ["open_llm_v1"], data=tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no file of open_llm_v1 there"):
        evaluate(folder, tasks, ["open_llm_v1"], data=tmp_path / "empty")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "far.yaml").write_text(
        LIKELIHOOD.replace("tiny_likelihood", "far_away")
        .replace("dataset_path: json", "dataset_path: nobody/nothing")
        .format(data="x.jsonl")
    )
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text("group: mine\ntask: [gsm8k]\n")
    with pytest.raises(UserError, match=r"the data of \['mine'\] are not on this machine"):
        evaluate_boards(HuggingFaceEngine(folder), load_tokenizer(folder), ["mine"], tasks=tmp_path / "own")
    with pytest.raises(UserError, match=r"the data of \['far_away'\] are not on this machine"):
        evaluate(folder, tmp_path / "hub", ["far_away"])
    odd = write_tasks(tmp_path / "odd", rows)
    (odd / "generate.yaml").write_text((odd / "generate.yaml").read_text().replace("do_sample: false", "top_k: 3"))
    with pytest.raises(UserError, match="top_k cannot be asked of an engine"):
        evaluate(folder, odd, ["tiny_generate"])


@pytest.mark.slow
def test_an_answer_that_fills_the_context(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    short = write_checkpoint(tmp_path / "short", context=6)
    with pytest.raises(UserError, match="no room for its question in the model's context of 6 tokens"):
        evaluate(short, write_tasks(tmp_path / "board", rows), ["tiny_generate"])


@pytest.mark.slow
def test_nothing_is_printed(folder: Path, tasks: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = HuggingFaceEngine(folder)
    capfd.readouterr()
    evaluate(folder, tasks, ["tiny_choice"], engine, limit=2)
    assert capfd.readouterr() == ("", "")
