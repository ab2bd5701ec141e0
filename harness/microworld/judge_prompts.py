"""Reads what a judge is asked: AlpacaEval's stock comparison of two outputs, or MT-Bench's rating or match."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Which of two outputs is better? Answered by "m" (the first) or "M" (the second)."""

    instruction: str
    outputs: tuple[str, str]


@dataclass(frozen=True)
class Rating:
    """How good is the answer to the last of these requests? Answered by "Rating: [[1..10]]"."""

    requests: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Match:
    """Which of two answers to the last of these requests is better? Answered by "[[A]]", "[[B]]" or "[[C]]"."""

    requests: tuple[str, ...]
    answers: tuple[str, str]


# alpaca_eval/evaluators_configs/alpaca_eval_clf_gpt4_turbo/alpaca_eval_clf.txt
# An output may hold the prompt's own markup, to have something else read in the other's place. The first output ends at
# the first mark between the two and the second begins after the last, so that whichever of them holds marks of its own,
# the other is read as it is, and what stands between two marks is nobody's answer.
_BETWEEN = r'"""\s+\},\s+\{\s+"model_identifier": "M",\s+"output": """'
_COMPARISON = re.compile(
    r'"instruction": """(?P<instruction>.*?)""",\n\}\n\n## Model Outputs\n'
    rf'.*?"model_identifier": "m",\s+"output": """(?P<first>.*?){_BETWEEN}'
    rf'(?:.*{_BETWEEN})?(?P<second>.*)"""\s+\}}\n\}}\n\n## Task',
    re.DOTALL,
)
# FastChat's prompts of type "single": single-v1 and single-math-v1 ...
_ONE_TURN = re.compile(
    r"\[Question\]\n(?P<question>.*?)\n\n"
    r"(?:\[The Start of Reference Answer\]\n.*?\n\[The End of Reference Answer\]\n\n)?"
    r"\[The Start of Assistant's Answer\]\n(?P<answer>.*)\n\[The End of Assistant's Answer\]",
    re.DOTALL,
)
# ... and the same for the second of two turns, where a conversation of the same shape may give reference answers first.
_TWO_TURNS = re.compile(
    r"<\|The Start of Assistant A's Conversation with User\|>\n\n"
    r"### User:\n(?P<question_1>.*?)\n\n### Assistant A:\n.*?\n\n"
    r"### User:\n(?P<question_2>.*?)\n\n### Assistant A:\n(?P<answer>.*)\n\n"
    r"<\|The End of Assistant A's Conversation with User\|>",
    re.DOTALL,
)
# Its prompts of type "pairwise": pair-v2 and pair-math-v1, and their second turns. They begin with the first mark, so
# that an answer which holds such a mark does not turn its own rating into a match.
_MATCH = re.compile(
    r"\A\[User Question\]\n(?P<question>.*?)\n\n"
    r"(?:\[The Start of Reference Answer\]\n.*?\n\[The End of Reference Answer\]\n\n)?"
    r"\[The Start of Assistant A's Answer\]\n(?P<a>.*?)\n\[The End of Assistant A's Answer\]\n\n"
    r"\[The Start of Assistant B's Answer\]\n(?P<b>.*)\n\[The End of Assistant B's Answer\]",
    re.DOTALL,
)
_MATCH_OF_TWO_TURNS = re.compile(
    r"\A(?:<\|The Start of Reference Answer\|>.*?<\|The End of Reference Answer\|>\n+)?"
    r"<\|The Start of Assistant A's Conversation with User\|>\n\n"
    r"### User:\n(?P<question_1>.*?)\n\n### Assistant A:\n.*?\n\n"
    r"### User:\n(?P<question_2>.*?)\n\n### Assistant A:\n(?P<a>.*?)\n\n"
    r"<\|The End of Assistant A's Conversation with User\|>\n+"
    r"<\|The Start of Assistant B's Conversation with User\|>\n\n"
    r"### User:\n(?P=question_1)\n\n### Assistant B:\n.*?\n\n"
    r"### User:\n(?P=question_2)\n\n### Assistant B:\n(?P<b>.*)\n\n"
    r"<\|The End of Assistant B's Conversation with User\|>",
    re.DOTALL,
)


def read_prompt(text: str) -> Comparison | Rating | Match | None:
    """What the user message asks of the judge; None where it is no such prompt."""
    if found := _COMPARISON.search(text):
        return Comparison(found["instruction"], (found["first"], found["second"]))
    # before a rating of two turns, which a match of two turns begins like
    if found := _MATCH_OF_TWO_TURNS.search(text):
        return Match((found["question_1"], found["question_2"]), (found["a"], found["b"]))
    if found := _MATCH.search(text):
        return Match((found["question"],), (found["a"], found["b"]))
    if found := _TWO_TURNS.search(text):
        return Rating((found["question_1"], found["question_2"]), found["answer"])
    if found := _ONE_TURN.search(text):
        return Rating((found["question"],), found["answer"])
    return None
