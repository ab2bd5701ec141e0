"""The world's own judge prompts in the shape of FastChat's judge_prompts.jsonl.

The names, the places that are filled in and the marks around them are upstream's, because they are the format that is
read; the words are not.
"""

from collections.abc import Iterator

from harness.microworld.post_training import Row

_RATE = (
    "Judge how good the assistant's {what} is: whether it is right, has the form that was asked for, and stops there. "
    'End with your rating from 1 to 10 in double brackets, such as "Rating: [[5]]".'
)
_COMPARE = (
    "Judge which assistant's {what} is better: which is right, has the form that was asked for, and stops there. "
    "Neither order nor names matter. "
    'End with "[[A]]" or "[[B]]" for the better one, or with "[[C]]" where neither is better.'
)
_BESIDE = " A right answer is given beside it."


def judge_prompts() -> Iterator[Row]:
    """judge_prompts.jsonl: rating one answer and comparing two, in the first and the second turn, with a reference or
    without."""
    for kind, base, output, words in (("single", "v1", "[[rating]]", _RATE), ("pairwise", "v2", "[[A]]", _COMPARE)):
        for referenced in (False, True):
            for turn in (1, 2):
                prefix = "pair" if kind == "pairwise" else kind
                name = f"{prefix}-math-v1" if referenced else f"{prefix}-{base}"
                what = "answer to the second request" if turn == 2 else "answer"
                yield {
                    "name": f"{name}-multi-turn" if turn == 2 else name,
                    "type": kind,
                    "system_prompt": words.format(what=what) + (_BESIDE if referenced else ""),
                    "prompt_template": _template(kind, referenced, turn),
                    "description": "A prompt of the microworld",
                    "category": "math" if referenced else "general",
                    "output_format": output,
                }


def _template(kind: str, referenced: bool, turn: int) -> str:
    if turn == 1:
        parts = ["[Question]\n{question}" if kind == "single" else "[User Question]\n{question}"]
        if referenced:
            parts.append("[The Start of Reference Answer]\n{ref_answer_1}\n[The End of Reference Answer]")
        if kind == "single":
            parts.append("[The Start of Assistant's Answer]\n{answer}\n[The End of Assistant's Answer]")
        else:
            parts += [_answer("A", "{answer_a}"), _answer("B", "{answer_b}")]
        return "\n\n".join(parts)
    parts = [_talk("Reference Answer", "Reference answer", "ref_answer")] if referenced else []
    sides = [("A", "answer")] if kind == "single" else [("A", "answer_a"), ("B", "answer_b")]
    parts += [_talk(f"Assistant {side}'s Conversation with User", f"Assistant {side}", name) for side, name in sides]
    return "\n\n\n".join(parts)


def _answer(side: str, answer: str) -> str:
    return f"[The Start of Assistant {side}'s Answer]\n{answer}\n[The End of Assistant {side}'s Answer]"


def _talk(title: str, speaker: str, name: str) -> str:
    turns = "\n\n".join(f"### User:\n{{question_{i}}}\n\n### {speaker}:\n{{{name}_{i}}}" for i in (1, 2))
    return f"<|The Start of {title}|>\n\n{turns}\n\n<|The End of {title}|>"
