"""An engine behind lm-eval's model: answers in pieces, and the ids of conversations."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from eval_suites.engine import Sampling
from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.open_llm_model import FIRST_PIECE, ChatPrompt, Record, answer, answer_ids, chat_prompt, engine_model
from results.errors import UserError
from tests.eval_suites.tiny import write_checkpoint
from tests.eval_suites.watched import Watched
from trainers.chat import load_tokenizer, prompt_ids, response_tokens
from trainers.records import Message

LONG = Sampling(max_new_tokens=5 * FIRST_PIECE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), context=256)


def ask(folder: Path, engine: Watched, until: Sequence[str]) -> list[str]:
    tokenizer = load_tokenizer(folder)
    prompts = [[2, 6 + i, 9, 10 + 2 * i] for i in range(8)]
    found = answer(engine.generate, lambda ids: str(tokenizer.decode(list(ids))), prompts, LONG, until)
    return [text for text, _ in found]


def test_an_answer_in_pieces_is_the_answer_in_one_go(folder: Path) -> None:
    whole = Watched(HuggingFaceEngine(folder))
    pieces = Watched(HuggingFaceEngine(folder))
    assert ask(folder, pieces, ["no such words"]) == ask(folder, whole, [])
    assert len(whole.prompts) == 8
    assert len(pieces.prompts) > 8, "some answers are longer than a piece"
    assert {len(prompt) for prompt in pieces.prompts} <= {4, 4 + FIRST_PIECE, 4 + 3 * FIRST_PIECE}


def test_an_answer_ends_before_its_stop_string_and_is_not_gone_on_with(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    whole = ask(folder, Watched(HuggingFaceEngine(folder)), [])
    stop = whole[0].split()[2]
    engine = Watched(HuggingFaceEngine(folder))
    prompts = [[2, 6 + i, 9, 10 + 2 * i] for i in range(8)]
    found = answer(engine.generate, lambda ids: str(tokenizer.decode(list(ids))), prompts, LONG, [stop])
    assert [text for text, _ in found] == [text.split(stop)[0] for text in whole]
    for (text, said), before in zip(found, whole, strict=True):
        assert said.characters == len(text)
        if stop in before:
            assert said.finished
    first = found[0][1]
    assert first.tokens <= FIRST_PIECE
    assert [prompt for prompt in engine.prompts if prompt[:4] == prompts[0]] == [prompts[0]]


def test_drawn_answers_are_made_in_one_go(folder: Path) -> None:
    engine = Watched(HuggingFaceEngine(folder))
    drawn = LONG.model_copy(update={"temperature": 1.0})
    answer(engine.generate, str, [[2, 7, 8]] * 3, drawn, ["w7"])
    assert engine.prompts == [[2, 7, 8]] * 3


def said(*texts: str) -> list[Message]:
    roles = ("system", "user", "assistant", "user")
    return [Message.model_validate({"role": role, "content": text}) for role, text in zip(roles, texts, strict=False)]


def test_a_chat_prompt_is_what_training_reads(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    asked = said("w1 w2", "w3 Question", "w4", "w5 ?")
    prompt = chat_prompt(tokenizer, asked)
    assert list(prompt.ids) == prompt_ids(tokenizer, asked)
    assert prompt.ids.count(2) == 1
    trained = response_tokens(tokenizer, asked, "w8 w9")
    assert [*prompt.ids, *answer_ids(tokenizer, prompt, "w8 w9"), 3] == trained.ids
    begun = chat_prompt(tokenizer, asked, "w8")
    assert [*begun.ids, *answer_ids(tokenizer, begun, " w9"), 3] == trained.ids


def test_an_answer_never_changes_the_ids_of_its_prompt(folder: Path) -> None:
    """A tokenizer that joins the prompt's last letters with the answer's first ones."""
    tokenizer = load_tokenizer(folder)
    prompt = ChatPrompt("w", (5,))
    assert tokenizer.encode("w1", add_special_tokens=False)[:1] != [5]
    assert answer_ids(tokenizer, prompt, "1 w2") == tokenizer.encode("1 w2", add_special_tokens=False)


def test_a_system_message_that_the_template_refuses_is_left_out_and_noted(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    template = str(tokenizer.chat_template)
    tokenizer.chat_template = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + template
    record = Record()
    model = engine_model(HuggingFaceEngine(folder), tokenizer, record)
    history = [{"role": "system", "content": "w1"}, {"role": "user", "content": "w2"}]
    prompt = model.apply_chat_template(history)
    assert list(prompt.ids) == prompt_ids(tokenizer, said("w1", "w2")[1:])
    assert record.refused == {prompt}
    tokenizer.chat_template = "{{ raise_exception('nothing at all') }}"
    with pytest.raises(UserError, match="nothing at all"):
        model.apply_chat_template(history[1:])
