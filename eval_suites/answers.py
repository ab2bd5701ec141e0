"""Answers to single-turn instructions, as rows of the shape that AlpacaEval's files have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval_suites.engine import Engine, Sampling, is_shortened
from eval_suites.generation import Report, generate_resumably
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
    """One row an instruction, in order: instruction, output, generator, dataset, finished, n_tokens (EOS included) and

    shortened, whether the context left the answer less room than was asked for. `instructions` are those of
    alpaca_files.read_instructions, perhaps with "dataset" (empty in the row where absent). `log` keeps the answers
    while they are made, for generate_resumably. Raises what the engine raises.
    """
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
            "shortened": is_shortened(prompt, sampling, engine.context),
        }
        for row, prompt, completion in zip(instructions, prompts, completions, strict=True)
    ]
