"""The world's tokenizer as transformers loads it: one <bos>, answers that end in <eos>, and one way to the same ids."""

from pathlib import Path
from typing import Any

import pytest

from harness.microworld.words import SPECIALS, vocabulary
from tests.harness.microworld.reading import rows


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder / "tokenizer")


def encoded(tokenizer: Any, messages: list[dict[str, str]]) -> tuple[list[int], list[int]]:
    """Ids and mask of the assistant's tokens."""
    out = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    return out["input_ids"], out["assistant_masks"]


def test_special_tokens(tokenizer: Any) -> None:
    assert [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id] == [
        0,
        1,
        2,
        3,
    ]
    assert tokenizer.convert_ids_to_tokens(list(range(len(SPECIALS)))) == list(SPECIALS)
    assert set(tokenizer.all_special_tokens) == set(SPECIALS)
    assert len(tokenizer) == len(vocabulary())
    assert 200 <= len(vocabulary()) <= 300


def test_plain_text(tokenizer: Any) -> None:
    text = "question : reverse : apple river answer :"
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert len(ids) == 1 + len(text.split())
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids[1:]
    assert tokenizer("zebra", add_special_tokens=False)["input_ids"] == [tokenizer.unk_token_id]


@pytest.mark.parametrize("system", [False, True])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_chat_template(tokenizer: Any, turns: int, system: bool) -> None:
    messages = [{"role": "system", "content": "use brackets"}] if system else []
    for _ in range(turns):
        messages += [
            {"role": "user", "content": "what is the food of anna"},
            {"role": "assistant", "content": "rice soup"},
        ]
    ids, mask = encoded(tokenizer, messages)
    turn = "<user> what is the food of anna <assistant> rice soup <eos>"
    text = " ".join(["<bos>", *(["<system> use brackets"] if system else []), *[turn] * turns])
    assert tokenizer.apply_chat_template(messages, tokenize=False) == text
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids
    assert ids.count(tokenizer.bos_token_id) == 1
    supervised = [token for token, is_said in zip(ids, mask, strict=True) if is_said]
    assert tokenizer.decode(supervised) == " ".join(["rice soup <eos>"] * turns)


def test_generation_prompt(tokenizer: Any) -> None:
    asked = [{"role": "user", "content": "copy : apple"}]
    text = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert text == "<bos> <user> copy : apple <assistant>"
    answered = [*asked, {"role": "assistant", "content": "apple"}]
    assert tokenizer.apply_chat_template(answered, tokenize=False) == f"{text} apple <eos>"


def test_an_empty_answer_is_its_end(tokenizer: Any) -> None:
    ids, mask = encoded(tokenizer, [{"role": "user", "content": "copy"}, {"role": "assistant", "content": ""}])
    assert [token for token, is_said in zip(ids, mask, strict=True) if is_said] == [tokenizer.eos_token_id]


def test_an_unknown_role_is_refused(tokenizer: Any) -> None:
    from jinja2.exceptions import TemplateError

    with pytest.raises(TemplateError, match="not from tool"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "apple"}], tokenize=False)


def test_all_answers_of_the_demonstrations_are_supervised_to_their_end(tokenizer: Any, folder: Path) -> None:
    for row in rows(folder / "ultrachat_200k" / "train_sft.jsonl")[:200]:
        ids, mask = encoded(tokenizer, row["messages"])
        supervised = [token for token, is_said in zip(ids, mask, strict=True) if is_said]
        answers = [message["content"] for message in row["messages"] if message["role"] == "assistant"]
        assert tokenizer.decode(supervised) == " ".join(f"{answer} <eos>" for answer in answers)


def test_a_dialogue_of_the_pretraining_text_has_the_ids_of_the_template(tokenizer: Any, folder: Path) -> None:
    texts = [row["text"] for row in rows(folder / "pretraining" / "documents.jsonl")]
    dialogues = [text for text in texts if text.startswith("<user> ")]
    assert dialogues
    for text in dialogues[:200]:
        messages = []
        for turn in text.removeprefix("<user> ").split(" <eos> <user> "):
            request, answer = turn.split(" <assistant> ")
            messages += [{"role": "user", "content": request}, {"role": "assistant", "content": answer}]
        ids, _ = encoded(tokenizer, messages)
        assert [*tokenizer(text)["input_ids"], tokenizer.eos_token_id] == ids


def test_the_vocabulary_is_closed_and_documents_are_short(tokenizer: Any, folder: Path) -> None:
    known = set(vocabulary())
    lengths = []
    for row in rows(folder / "pretraining" / "documents.jsonl"):
        words = row["text"].split()
        assert known.issuperset(words)
        lengths.append(len(words) + 2)
    assert sum(length <= 48 for length in lengths) > 0.98 * len(lengths)
    assert max(lengths) < tokenizer.model_max_length
    for name in ("ultrachat_200k/train_sft", "ultrafeedback_binarized/train_prefs", "numinamath_cot/train"):
        for row in rows(folder / f"{name}.jsonl"):
            for message in (*row["messages"], *row.get("rejected", ())):
                assert known.issuperset(message["content"].split())
