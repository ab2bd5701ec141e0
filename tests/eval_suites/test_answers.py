from collections.abc import Sequence
from pathlib import Path

from eval_suites.answers import answer_instructions
from eval_suites.engine import Completion, Sampling
from eval_suites.huggingface import HuggingFaceEngine
from tests.eval_suites.tiny import write_checkpoint
from trainers.chat import load_tokenizer


class Recorder(HuggingFaceEngine):
    """An engine that keeps the ids it was given."""

    prompts: list[list[int]]

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        self.prompts = [list(prompt) for prompt in prompts]
        return super().generate(prompts, sampling)


def test_rows_have_alpaca_evals_shape_and_one_bos(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    tokenizer = load_tokenizer(folder)
    engine = Recorder(folder)
    instructions = [{"instruction": "w1 w2", "dataset": "a"}, {"instruction": "w3"}]
    reports: list[tuple[int, int]] = []
    rows = answer_instructions(
        engine,
        tokenizer,
        instructions,
        Sampling(max_new_tokens=5),
        "tiny",
        log=tmp_path / "answers.jsonl",
        report=lambda *numbers: reports.append(numbers),
    )
    assert reports == [(2, 2)]
    assert [row["instruction"] for row in rows] == ["w1 w2", "w3"]
    assert [row["dataset"] for row in rows] == ["a", ""]
    assert list(rows[0]) == ["instruction", "output", "generator", "dataset", "finished", "n_tokens", "shortened"]
    assert not any(row["shortened"] for row in rows)
    assert {row["generator"] for row in rows} == {"tiny"}
    assert all(row["n_tokens"] == 5 or row["finished"] for row in rows)
    assert [ids.count(2) for ids in engine.prompts] == [1, 1]
    assert tokenizer.decode(engine.prompts[0]) == "<s> <user> w1 w2 <assistant>"


def test_an_answer_that_the_context_leaves_less_room_is_marked(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    tokenizer, engine = load_tokenizer(folder), Recorder(folder)
    instructions = [{"instruction": "w1 " * 30}, {"instruction": "w3"}]
    asked = Sampling(max_new_tokens=40)
    rows = answer_instructions(engine, tokenizer, instructions, asked, "tiny", log=tmp_path / "answers.jsonl")
    assert [row["shortened"] for row in rows] == [True, False]
    assert rows[0]["n_tokens"] <= engine.context - len(engine.prompts[0]) < 40
