"""The forms an answer can be asked for, from the innermost to the outermost. No form means the bare answer alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.microworld.operations import Words

# Words that belong to the form of an answer, never to its content.
FORM_WORDS = frozenset({"ok", "done", ",", "(", ")", "the", "answer", "is", "."})


@dataclass(frozen=True)
class Form:
    """`wrap` puts an answer into the form; `shows` says whether an answer looks as if it were in it."""

    wrap: Callable[[Words], Words]
    shows: Callable[[Words], bool]
    phrases: Words


def _commas(words: Words) -> Words:
    return tuple(part for word in words for part in (",", word))[1:]


def _says_twice(words: Words) -> bool:
    content = content_words(words)
    half = len(content) // 2
    return len(content) >= 2 and content == content[:half] * 2


def _is_sentence(words: Words) -> bool:
    start = words[1:4] if words[:1] == ("ok",) else words[:3]
    return start == ("the", "answer", "is") and "." in words


FORMS: dict[str, Form] = {
    "commas": Form(_commas, lambda w: "," in w, ("use commas", "put commas between")),
    "brackets": Form(lambda w: ("(", *w, ")"), lambda w: "(" in w and ")" in w, ("use brackets", "put it in brackets")),
    "twice": Form(lambda w: (*w, *w), _says_twice, ("say it twice", "say it two times")),
    "sentence": Form(
        lambda w: ("the", "answer", "is", *w, "."), _is_sentence, ("use a sentence", "say it as a sentence")
    ),
    "ok": Form(lambda w: ("ok", *w), lambda w: w[:1] == ("ok",), ("start with ok", "say ok first")),
    "done": Form(lambda w: (*w, "done"), lambda w: w[-1:] == ("done",), ("end with done", "say done last")),
}


def in_order(forms: Iterable[str]) -> tuple[str, ...]:
    """The forms from the innermost to the outermost."""
    wanted = set(forms)
    return tuple(name for name in FORMS if name in wanted)


def render(words: Words, forms: Iterable[str]) -> Words:
    """The words in all the forms."""
    for name in in_order(forms):
        words = FORMS[name].wrap(words)
    return words


def content_words(answer: Words) -> Words:
    """What is left of an answer without the words of its form."""
    return tuple(word for word in answer if word not in FORM_WORDS)


def shown(answer: Words) -> frozenset[str]:
    """The forms that an answer looks as if it were in."""
    return frozenset(name for name, form in FORMS.items() if form.shows(answer))
