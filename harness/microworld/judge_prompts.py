"""Reads what a judge is asked: AlpacaEval's stock comparison of two outputs, or MT-Bench's rating of one answer."""

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


# alpaca_eval/evaluators_configs/alpaca_eval_clf_gpt4_turbo/alpaca_eval_clf.txt
_COMPARISON = re.compile(
    r'"instruction": """(?P<instruction>.*?)""",\n\}\n\n## Model Outputs\n'
    r'.*?"model_identifier": "m",\s+"output": """(?P<first>.*?)"""\s+\},\s+'
    r'\{\s+"model_identifier": "M",\s+"output": """(?P<second>.*)"""\s+\}\n\}\n\n## Task',
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


def read_prompt(text: str) -> Comparison | Rating | None:
    """What the user message asks of the judge; None where it is neither kind of prompt."""
    if found := _COMPARISON.search(text):
        return Comparison(found["instruction"], (found["first"], found["second"]))
    if found := _TWO_TURNS.search(text):
        return Rating((found["question_1"], found["question_2"]), found["answer"])
    if found := _ONE_TURN.search(text):
        return Rating((found["question"],), found["answer"])
    return None
