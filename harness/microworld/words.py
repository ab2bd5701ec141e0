"""The closed vocabulary of the world: lower-case words between single spaces."""

from collections.abc import Iterable

from harness.microworld.forms import FORM_WORDS, FORMS
from harness.microworld.operations import OPERATIONS

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
ROLES = {"system": "<system>", "user": "<user>", "assistant": "<assistant>"}
# The order is the order of their ids.
SPECIALS = (PAD, BOS, EOS, UNK, *ROLES.values())


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NOUNS = _split(
    "river apple stone cloud lamp chair door paper bridge garden candle mirror "
    "button ladder basket pencil window bottle hammer pillow carpet wheel ticket blanket"
)
NUMBERS = tuple(map(str, range(21)))
NAMES = _split(
    "anna ben clara david emma felix grace henry iris jack kate leo mia noah olga paul quinn rosa sam tina "
    "umar vera will xena yann zoe alan bella carl dora eric fiona george hanna ivan julia karl lena max nina "
    "oscar petra ralph sara tom ursula victor wendy xavier yasmin aaron beth cora dylan elsa frank gina hugo ida joel"
)
ATTRIBUTES = {
    "colour": _split("red blue green yellow black white brown pink grey purple"),
    "city": _split("rome paris london berlin madrid vienna oslo dublin athens prague"),
    "food": _split("rice soup bread cheese pasta salad curry pizza fish cake"),
    "animal": _split("cat dog horse rabbit tiger eagle sheep goat whale mouse"),
}

# What a speaker who rambles adds after the answer. No word of a form stands here.
RAMBLES = (
    "i hope that helps",
    "let me know if you want more",
    "i like this one",
    "it was easy for me",
    "you can ask me again",
    "we could talk about it all day",
)

# The sentences of the world. {what} is a phrase of an operation, {list} its operands, {result} the answer's content.
FACT_STATEMENTS = (
    "the {attribute} of {name} is {value} .",
    "{name} has the {attribute} {value} .",
    "for {name} the {attribute} is {value} .",
    "{attribute} of {name} : {value} .",
    "{value} is the {attribute} of {name} .",
)
FACT_QUESTIONS = (
    "what is the {attribute} of {name}",
    "tell me the {attribute} of {name}",
    "name the {attribute} of {name}",
    "which {attribute} has {name}",
)
SKILL_STATEMENTS = ("{what} of {list} is {result} .", "{what} : {list} gives {result} .")
SKILL_REQUESTS = ("{what} : {list}", "please {what} : {list}", "with {list} : {what}")
TWO_STEPS = ("{first} then {second}", "first {first} and then {second}")
FOLLOW_UPS = ("now {what}", "and now {what}")
FORM_REQUESTS = ("{request} , {forms}", "{forms} , {request}")
TWO_FORMS = "{one} and {other}"
QUESTION = "question : {question} answer :"
PROBLEM = "start at {start} {steps} . show the steps"
STEPS = {"plus": "add {number}", "minus": "subtract {number}"}
SOLUTION_STEP = "{before} {sign} {number} is {after} ."
SOLUTION_END = "the answer is {result} ."

_SENTENCES = (
    *FACT_STATEMENTS,
    *FACT_QUESTIONS,
    *SKILL_STATEMENTS,
    *SKILL_REQUESTS,
    *TWO_STEPS,
    *FOLLOW_UPS,
    *FORM_REQUESTS,
    TWO_FORMS,
    QUESTION,
    PROBLEM,
    *STEPS,
    *STEPS.values(),
    SOLUTION_STEP,
    SOLUTION_END,
)


def vocabulary() -> tuple[str, ...]:
    """Every word of the world, specials first, then sorted; a word's place is its token id."""
    words = {*NOUNS, *NUMBERS, *NAMES, *ATTRIBUTES, *FORM_WORDS}
    words.update(*ATTRIBUTES.values())
    operations = [phrase for operation in OPERATIONS.values() for phrase in operation.phrases]
    forms = [phrase for form in FORMS.values() for phrase in form.phrases]
    words.update(_plain_words((*_SENTENCES, *operations, *forms, *RAMBLES)))
    return (*SPECIALS, *sorted(words))


def _plain_words(sentences: Iterable[str]) -> set[str]:
    return {word for sentence in sentences for word in sentence.split() if not word.startswith("{")}
