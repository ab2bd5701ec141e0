"""Answers to single-turn instructions, as rows of the shape that AlpacaEval's files have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval_suites.engine import Engine, Sampling
from eval_suites.generation import Report, generate_resumably
from results.errors import UserError
from trainers.chat import prompt_ids
from trainers.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def answer_instructions(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    instructions: Sequence[Mapping[str, Any]],
    sampling: Sampling,
    generator: str,
    *,
    log: Path,
    report: Report = lambda done, total: None,
) -> list[dict[str, Any]]:
    """One row an instruction, in order: instruction, output, generator, dataset, finished, n_tokens (EOS included).

    `instructions` have "instruction" and perhaps "dataset" (empty in the row where absent). `log` keeps the answers
    while they are made, for generate_resumably. Raises UserError for an instruction without text, and what the engine
    raises.
    """
    for index, row in enumerate(instructions):
        if not isinstance(row.get("instruction"), str) or not row["instruction"].strip():
            raise UserError(f"instruction {index} has no text in its field 'instruction'")
    prompts = [prompt_ids(tokenizer, [Message(role="user", content=row["instruction"])]) for row in instructions]
    completions = generate_resumably(engine, prompts, sampling, log, report)
    return [
        {
            "instruction": row["instruction"],
            "output": completion.text,
            "generator": generator,
            "dataset": row.get("dataset", ""),
            "finished": completion.finished,
            "n_tokens": len(completion.ids),
        }
        for row, completion in zip(instructions, completions, strict=True)
    ]
