"""The world's tokenizer in Hugging Face's layout: one token a word, and a chat template that marks the answers.

The files are written from their parts, not through transformers, so that their bytes do not depend on its version.
"""

from pathlib import Path

from harness.microworld.files import write_text, write_value
from harness.microworld.words import BOS, EOS, PAD, ROLES, SPECIALS, UNK, vocabulary

CONTEXT = 256  # tokens: several times the longest conversation of the world

# Renders "<bos> <user> … <assistant> … <eos> …". The answer's <eos> is inside the generation block, so it is learned.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    + f" {ROLES['assistant']} "
    + "{% generation %}{{ (message['content'] ~ ' ' ~ eos_token) | trim }}{% endgeneration %}"
    "{% elif message['role'] in ('system', 'user') %}"
    " {{ '<' ~ message['role'] ~ '> ' ~ message['content'] | trim }}"
    "{% else %}"
    "{{ raise_exception('a message is from system, user or assistant, not from ' ~ message['role']) }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}" + f" {ROLES['assistant']}" + "{% endif %}"
)


def write_tokenizer(folder: Path) -> None:
    """Writes tokenizer.json, tokenizer_config.json and chat_template.jinja, which AutoTokenizer loads."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

    ids = {word: place for place, word in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNK))
    # Without a decoder, decoding joins the words by single spaces.
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, ids[BOS])]
    )
    tokenizer.add_special_tokens([AddedToken(word, normalized=False, special=True) for word in SPECIALS])
    write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True) + "\n")
    write_text(folder / "chat_template.jinja", CHAT_TEMPLATE)
    write_value(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BOS,
            "eos_token": EOS,
            "pad_token": PAD,
            "unk_token": UNK,
            "extra_special_tokens": list(ROLES.values()),
            "clean_up_tokenization_spaces": False,
            "model_max_length": CONTEXT,
            "padding_side": "right",
        },
    )
