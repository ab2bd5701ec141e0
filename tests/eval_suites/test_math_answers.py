"""How problems are asked, and that n samples are n different draws that a restart does not change."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from eval_suites.engine import Sampling
from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.math_answers import Answered, MathProtocol, Sample, answer_problems, read_answered, write_answered
from eval_suites.math_problems import Problem
from tests.eval_suites.tiny import write_checkpoint
from trainers.chat import load_tokenizer, prompt_ids
from trainers.records import Message

PROBLEMS = [Problem(f"i{i}", f"w{i} w{i + 1} ?", str(i)) for i in range(5)]
SHORT = MathProtocol(prompt="Question : {problem}", samples=4, sampling=Sampling(max_new_tokens=6, temperature=1.0))


def test_the_default_is_the_papers_protocol() -> None:
    protocol = MathProtocol()
    assert (protocol.samples, protocol.sampling) == (16, Sampling(max_new_tokens=4096, temperature=1, top_p=1, seed=0))
    (turn,) = protocol.messages("What is $1+1$?")
    assert turn.role == "user"
    assert turn.content == ("What is $1+1$?\nPlease reason step by step, and put your final answer within \\boxed{}.")


def test_a_system_turn_comes_first_and_a_problem_is_no_template() -> None:
    messages = MathProtocol(system="You are a helpful assistant.").messages("{problem} {0} %s")
    assert [message.role for message in messages] == ["system", "user"]
    assert messages[1].content.startswith("{problem} {0} %s\n")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": "Solve it."}, "holds {problem} once"),
        ({"prompt": "{problem} {problem}"}, "holds {problem} once"),
        ({"sampling": {"max_new_tokens": 5}}, "16 samples at temperature 0 are one answer 16 times"),
        ({"samples": 0}, "greater than 0"),
        ({"temperature": 1}, "Extra inputs"),
    ],
)
def test_a_protocol_that_makes_no_sense_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MathProtocol.model_validate(fields)
    MathProtocol(samples=1, sampling=Sampling(max_new_tokens=5))


def test_answers_are_those_of_the_engine_for_repeated_prompts(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    tokenizer = load_tokenizer(folder)
    with HuggingFaceEngine(folder) as engine:
        rows = answer_problems(engine, tokenizer, PROBLEMS, SHORT, log=tmp_path / "log.jsonl")
        alone = answer_problems(engine, tokenizer, PROBLEMS[3:4], SHORT, log=tmp_path / "alone.jsonl")
        ids = prompt_ids(tokenizer, [Message(role="user", content="Question : w3 w4 ?")])
        drawn = engine.generate([ids] * 4, SHORT.sampling)
        fewer = answer_problems(
            engine, tokenizer, PROBLEMS, SHORT.model_copy(update={"samples": 2}), log=tmp_path / "fewer.jsonl"
        )
    assert [(row.item, row.answer) for row in rows] == [(problem.item, problem.answer) for problem in PROBLEMS]
    assert rows[3].samples == tuple(Sample(text=one.text, finished=one.finished, tokens=len(one.ids)) for one in drawn)
    assert len({sample.text for sample in rows[3].samples}) > 1
    assert alone == rows[3:4], "a sample does not depend on the problems beside it"
    assert [row.samples for row in fewer] == [row.samples[:2] for row in rows], "nor on how many more are drawn"


def test_a_context_no_longer_than_the_answers_shortens_them_and_says_so(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", context=24)
    long = [Problem("long", "w1 " * 12, "1"), PROBLEMS[0]]
    protocol = SHORT.model_copy(update={"sampling": Sampling(max_new_tokens=12, temperature=1.0)})
    with HuggingFaceEngine(folder) as engine:
        rows = answer_problems(engine, load_tokenizer(folder), long, protocol, log=tmp_path / "log.jsonl")
        whole = protocol.model_copy(update={"sampling": Sampling(max_new_tokens=24, temperature=1.0)})
        all_of_it = answer_problems(engine, load_tokenizer(folder), long, whole, log=tmp_path / "all.jsonl")
    assert [[sample.shortened for sample in row.samples] for row in rows] == [[True] * 4, [False] * 4]
    assert all(sample.tokens <= 24 - 12 for sample in rows[0].samples)
    assert all(sample.shortened for row in all_of_it for sample in row.samples)
    assert any(sample.tokens > 12 for sample in all_of_it[1].samples)


def test_what_is_in_the_log_is_not_generated_again(tmp_path: Path) -> None:
    folder, log = write_checkpoint(tmp_path / "model"), tmp_path / "log.jsonl"
    tokenizer = load_tokenizer(folder)
    with HuggingFaceEngine(folder) as engine:
        rows = answer_problems(engine, tokenizer, PROBLEMS, SHORT, log=log)
    engine.close()
    seen: list[tuple[int, int]] = []
    again = answer_problems(engine, tokenizer, PROBLEMS, SHORT, log=log, report=lambda *at: seen.append(at))
    assert again == rows
    assert seen[-1] == (20, 20)


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    sample = Sample(text="a\n\u2028 \\boxed{½} é", finished=False, tokens=4)
    rows = [Answered(item="i", answer="½", samples=(sample, sample)), Answered(item="j", answer="1", samples=())]
    write_answered(tmp_path / "answers.jsonl", rows)
    assert read_answered(tmp_path / "answers.jsonl") == rows
