"""Stored answers to IFEval in its authors' shape: a JSON object a line with prompt and response."""

import json
from pathlib import Path

from eval_suites.text_file import read_text
from results.errors import UserError

# The authors mended this prompt after they had published GPT-4's answers, which hold it as it was.
MENDED = ("at least one placeholder (an", "at least 3 placeholders (an")


def read_ifeval_answers(path: Path) -> dict[str, str]:
    """The answers by the prompts of today. Raises UserError naming file, line and field."""
    answers: dict[str, str] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise UserError(f"{path}, line {number}: not valid JSON; one object a line is wanted") from None
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("prompt", "response")):
            raise UserError(f"{path}, line {number}: the texts 'prompt' and 'response' are wanted")
        prompt = row["prompt"].replace(*MENDED)
        if prompt in answers:
            raise UserError(f"{path}, line {number}: a second answer to the prompt {prompt[:60]!r}; keep one")
        answers[prompt] = row["response"]
    if not answers:
        raise UserError(f"{path}: there is no row in it")
    return answers
