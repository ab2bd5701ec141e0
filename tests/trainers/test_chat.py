"""Chat to tokens: one BOS, EOS always learned, one prompt for training and generation."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.errors import UserError
from tests.trainers.tiny import CHAT_TEMPLATE, assistant, tokenizer_with, user, write_tokenizer
from trainers.chat import Tokens, conversation_tokens, document_tokens, load_tokenizer, prompt_ids, response_tokens
from trainers.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SYSTEM = Message(role="system", content="Be brief.")
CONVERSATION = [SYSTEM, user("copy a bird"), assistant("a bird"), user("and the river"), assistant("the river")]


def supervised_text(tokenizer: "PreTrainedTokenizerBase", tokens: Tokens) -> str:
    return str(tokenizer.decode([i for i, on in zip(tokens.ids, tokens.supervised, strict=True) if on]))


def test_conversation_is_rendered_once_and_every_answer_is_supervised_with_its_eos(
    tokenizer: "PreTrainedTokenizerBase",
) -> None:
    tokens = conversation_tokens(tokenizer, CONVERSATION)
    assert tokenizer.decode(tokens.ids) == (
        "<s><system>Be brief.<user>copy a bird<assistant>a bird</s><user>and the river<assistant>the river</s>"
    )
    assert supervised_text(tokenizer, tokens) == "a bird</s>the river</s>"
    assert tokens.ids.count(tokenizer.bos_token_id) == 1


def test_eos_is_supervised_although_padding_has_the_same_id(tokenizer: "PreTrainedTokenizerBase") -> None:
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    ids, supervised = conversation_tokens(tokenizer, CONVERSATION)
    assert [on for i, on in zip(ids, supervised, strict=True) if i == tokenizer.eos_token_id] == [True, True]


def test_prompt_is_what_generation_starts_from(tokenizer: "PreTrainedTokenizerBase") -> None:
    assert tokenizer.decode(prompt_ids(tokenizer, CONVERSATION[:2])) == (
        "<s><system>Be brief.<user>copy a bird<assistant>"
    )


@settings(max_examples=50)
@given(turns=st.lists(st.text(max_size=12), min_size=1, max_size=4), response=st.text(max_size=12))
def test_training_and_generation_see_one_prompt(
    tokenizer: "PreTrainedTokenizerBase", turns: list[str], response: str
) -> None:
    prompt = [(user, assistant)[i % 2](text) for i, text in enumerate(turns)]
    start = prompt_ids(tokenizer, prompt)
    tokens = response_tokens(tokenizer, prompt, response)
    assert tokens.ids[: len(start)] == start
    assert not any(tokens.supervised[: len(start)])
    assert all(tokens.supervised[len(start) :])
    assert tokens.ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(tokens.ids[len(start) : -1]) == response


def test_a_demonstration_and_a_response_supervise_the_same_tokens(tokenizer: "PreTrainedTokenizerBase") -> None:
    prompt, answer = [SYSTEM, user("copy a bird")], "a bird"
    assert response_tokens(tokenizer, prompt, answer) == conversation_tokens(tokenizer, [*prompt, assistant(answer)])


def test_only_the_last_answer_of_a_conversation_is_the_response(tokenizer: "PreTrainedTokenizerBase") -> None:
    tokens = response_tokens(tokenizer, CONVERSATION[:-1], "the river")
    assert tokens.ids == conversation_tokens(tokenizer, CONVERSATION).ids
    assert supervised_text(tokenizer, tokens) == "the river</s>"


def test_what_a_template_writes_after_eos_is_not_supervised(tmp_path: Path) -> None:
    inside = CHAT_TEMPLATE.replace("{% endgeneration %}", "{{ '\\n' }}{% endgeneration %}")
    outside = CHAT_TEMPLATE.replace("{% endgeneration %}", "{% endgeneration %}{{ '\\n' }}")
    for name, template in (("inside", inside), ("outside", outside)):
        tokenizer = tokenizer_with(tmp_path / name, template)
        tokens = conversation_tokens(tokenizer, CONVERSATION)
        assert str(tokenizer.decode(tokens.ids)).count("</s>\n") == 2
        assert supervised_text(tokenizer, tokens) == "a bird</s>the river</s>"
        response = response_tokens(tokenizer, CONVERSATION[:-1], "the river")
        assert supervised_text(tokenizer, response) == "the river</s>"


def test_a_message_that_holds_bos_is_not_blamed_on_the_template(tokenizer: "PreTrainedTokenizerBase") -> None:
    ids = prompt_ids(tokenizer, [user("what does <s> mean")])
    assert ids.count(tokenizer.bos_token_id) == 2


def test_one_token_may_be_both_bos_and_eos(tmp_path: Path) -> None:
    tokenizer = tokenizer_with(tmp_path / "good", CHAT_TEMPLATE, bos_token="</s>")
    assert supervised_text(tokenizer, conversation_tokens(tokenizer, CONVERSATION)) == "a bird</s>the river</s>"
    doubled = tokenizer_with(tmp_path / "doubled", "{{ bos_token }}" + CHAT_TEMPLATE, bos_token="</s>")
    with pytest.raises(UserError, match="'</s>' more than once"):
        prompt_ids(doubled, CONVERSATION[:2])


def test_documents_begin_with_bos_and_end_with_a_supervised_eos(tokenizer: "PreTrainedTokenizerBase") -> None:
    (tokens,) = document_tokens(tokenizer, ["a quiet river"])
    assert tokenizer.decode(tokens.ids) == "<s>a quiet river</s>"
    assert supervised_text(tokenizer, tokens) == "a quiet river</s>"
    assert document_tokens(tokenizer, []) == []


def test_documents_of_a_tokenizer_without_bos(tmp_path: Path) -> None:
    tokenizer = tokenizer_with(tmp_path, CHAT_TEMPLATE, bos_token=None)
    (tokens,) = document_tokens(tokenizer, ["a quiet river"])
    assert tokenizer.decode(tokens.ids) == "a quiet river</s>"


@pytest.mark.parametrize(
    ("template", "special", "message"),
    [
        (None, {}, "has no chat template: add one as chat_template.jinja"),
        (CHAT_TEMPLATE, {"eos_token": None, "pad_token": None}, "has no EOS token"),
    ],
)
def test_tokenizers_that_cannot_be_used(
    tmp_path: Path, template: str | None, special: dict[str, str | None], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_tokenizer(write_tokenizer(tmp_path, template, **special))
    assert str(tmp_path) in str(caught.value)


def test_folder_without_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(
            UserError, match=r"no tokenizer can be loaded from .*: a folder with tokenizer.json is wanted"
        ):
            load_tokenizer(folder)


UNMARKED = CHAT_TEMPLATE.replace("{% generation %}", "").replace("{% endgeneration %}", "")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param(UNMARKED, "marks 0 of 2 assistant turns", id="no generation block"),
        pytest.param(
            CHAT_TEMPLATE.replace("{% generation %}", "{% if loop.last %}{% generation %}").replace(
                "{% endgeneration %}", "{% endgeneration %}{% else %}{{ message.content }}{% endif %}"
            ),
            "marks 1 of 2 assistant turns",
            id="only the last turn marked",
        ),
        pytest.param(
            CHAT_TEMPLATE.replace("{{ eos_token }}{% endgeneration %}", "{% endgeneration %}{{ eos_token }}"),
            "leaves '</s>' out of an assistant turn",
            id="EOS behind the block",
        ),
        pytest.param(
            CHAT_TEMPLATE.replace("{{ eos_token }}", ""), "leaves '</s>' out of an assistant turn", id="no EOS"
        ),
        pytest.param("{{ bos_token }}" + CHAT_TEMPLATE, "'<s>' more than once", id="double BOS"),
        pytest.param(
            CHAT_TEMPLATE.replace("<{{ message.role }}>", "{{ bos_token }}<{{ message.role }}>"),
            "'<s>' more than once",
            id="BOS at every turn",
        ),
        pytest.param(
            "{{ raise_exception('no system turns here') }}" + CHAT_TEMPLATE,
            "the chat template refuses a conversation: no system turns here",
            id="refusal by the template",
        ),
    ],
)
def test_templates_that_cannot_be_trained_on(tmp_path: Path, template: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        conversation_tokens(tokenizer_with(tmp_path, template), CONVERSATION)


@pytest.mark.parametrize(
    "generation_prompt",
    [
        pytest.param("<assistant>Answer:", id="not in the turn"),
        pytest.param("<assistant> ", id="space that joins the answer's first word"),
        pytest.param("", id="stops before the header that generation would have to write"),
    ],
)
def test_generation_prompt_that_is_not_the_beginning_of_a_turn(tmp_path: Path, generation_prompt: str) -> None:
    joined = "{% if add_generation_prompt %}<assistant>"
    template = CHAT_TEMPLATE.replace(joined, "{% if add_generation_prompt %}" + generation_prompt)
    if generation_prompt.endswith(" "):
        template = template.replace("%}<assistant>{% generation", "%}<assistant> {% generation")
    tokenizer = tokenizer_with(tmp_path, template)
    message = "renders a prompt of 1 messages differently before an answer than for generation"
    with pytest.raises(UserError, match=message):
        response_tokens(tokenizer, [user("copy a bird")], "bird")
    with pytest.raises(UserError, match=message):
        conversation_tokens(tokenizer, [user("copy a bird"), assistant("bird")])


# What a template may do to a turn that is not the last: leave out thoughts that were said, or add an empty thought.
FORGETS = CHAT_TEMPLATE.replace(
    "{{ message.content }}{{ eos_token }}",
    "{{ message.content if loop.last else message.content.split('|')[-1] }}{{ eos_token }}",
)
THINKS_LAST = CHAT_TEMPLATE.replace(
    "<assistant>{% generation %}", "<assistant>{% if loop.last %}|{% endif %}{% generation %}"
).replace("prompt %}<assistant>", "prompt %}<assistant>|")


def test_every_turn_of_a_demonstration_begins_where_its_generation_would(
    tokenizer: "PreTrainedTokenizerBase",
) -> None:
    ids, supervised = conversation_tokens(tokenizer, CONVERSATION)
    for place, message in enumerate(CONVERSATION):
        if message.role == "assistant":
            start = prompt_ids(tokenizer, CONVERSATION[:place])
            assert ids[: len(start)] == start
            assert supervised[len(start) - 1 : len(start) + 1] == [False, True]


def test_what_a_template_leaves_out_of_earlier_answers_alike_for_both_is_no_fault(tmp_path: Path) -> None:
    tokenizer = tokenizer_with(tmp_path, FORGETS)
    thoughtful = [*CONVERSATION[:2], assistant("hm|a bird"), *CONVERSATION[3:]]
    assert supervised_text(tokenizer, conversation_tokens(tokenizer, thoughtful)) == "a bird</s>the river</s>"


def test_an_earlier_turn_that_generation_would_begin_otherwise_is_refused_where_it_is_learned(tmp_path: Path) -> None:
    tokenizer = tokenizer_with(tmp_path, THINKS_LAST)
    with pytest.raises(UserError, match="renders a prompt of 2 messages differently"):
        conversation_tokens(tokenizer, CONVERSATION)
    response = response_tokens(tokenizer, CONVERSATION[:-1], "the river")
    assert supervised_text(tokenizer, response) == "the river</s>"


def test_a_generation_block_around_the_header_teaches_the_answer_alone(tmp_path: Path) -> None:
    marked = CHAT_TEMPLATE.replace("<assistant>{% generation %}", "{% generation %}<assistant>")
    tokenizer = tokenizer_with(tmp_path, marked)
    assert supervised_text(tokenizer, conversation_tokens(tokenizer, CONVERSATION)) == "a bird</s>the river</s>"


def test_a_conversation_may_begin_with_an_answer(tokenizer: "PreTrainedTokenizerBase") -> None:
    tokens = conversation_tokens(tokenizer, [assistant("a bird"), user("copy"), assistant("the river")])
    assert supervised_text(tokenizer, tokens) == "a bird</s>the river</s>"
