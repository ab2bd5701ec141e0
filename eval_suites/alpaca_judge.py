"""AlpacaEval's judge, asked through the alpaca-eval library's own annotator."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from eval_suites.alpaca_files import Row, by_instruction, preference
from eval_suites.alpaca_official import ANNOTATOR
from eval_suites.judge import Judge
from eval_suites.judge_reply import Answer
from eval_suites.quiet import quiet
from results.digest import Json
from results.errors import UserError
from trainers.records import Message

# Private-use characters, set inside whatever would act as markup if a judge prompt were built from it, and taken out
# again once the prompt has been cut into messages: neither instruction nor output can add a message or have another
# field filled in. An output may still write quotes and braces that look like the prompt's own, as it may upstream.
_GUARD = "\ue000\ue001\ue000"
_MARKUP = ("<|im_start|>", "<|im_end|>", "{instruction}", "{output_1}", "{output_2}")


def stock_prompt() -> str:
    """The library's own judge prompt for this annotator (ChatML with {instruction}, {output_1}, {output_2})."""
    package = metadata.distribution("alpaca-eval").locate_file("alpaca_eval")
    path = Path(str(package)) / "evaluators_configs" / "alpaca_eval_clf_gpt4_turbo" / "alpaca_eval_clf.txt"
    return path.read_text(encoding="utf-8")


def annotate(
    outputs: Sequence[Row], baseline: Sequence[Row], judge: Judge, prompt_template: str | None = None
) -> list[Row]:
    """The judge's preference between baseline (output_1) and outputs (output_2), a row an instruction, in order.

    `preference` is 1 (baseline) to 2 (the model), 1.5 where both texts are the same (the judge is not asked), None
    where the judge gave no usable answer. The same answers give the same rows, byte for byte. Raises UserError for
    rows that do not fit together, a judge that is not asked for log-probs, and what Judge.ask raises.
    """
    template = stock_prompt() if prompt_template is None else prompt_template
    _check_request(judge, template)
    references = by_instruction(baseline, "the baseline's outputs")
    missing = [row["instruction"] for row in outputs if row["instruction"] not in references]
    if missing:
        raise UserError(f"the baseline has no output for {len(missing)} instructions, the first: {missing[0][:80]!r}")
    pairs = [(references[row["instruction"]], row) for row in by_instruction(outputs, "the model's outputs").values()]
    guarded = [
        {
            "index": index,
            "instruction": _guard(model["instruction"]),
            "output_1": _guard(reference["output"]),
            "output_2": _guard(model["output"]),
        }
        for index, (reference, model) in enumerate(pairs)
    ]
    with quiet():
        annotator = _annotator(judge, template)
        annotated = {int(row["index"]): row for row in annotator.annotate_pairs(guarded, chunksize=None)}
    return [
        {
            "instruction": model["instruction"],
            "dataset": model.get("dataset", ""),
            "generator_1": reference.get("generator") or "baseline",
            "output_1": reference["output"],
            "generator_2": model.get("generator") or "model",
            "output_2": model["output"],
            "annotator": judge.spec.model if template == stock_prompt() else f"{judge.spec.model} with another prompt",
            "preference": preference(annotated[index]),
            "raw_completion": _plain(annotated[index].get("preference_raw_completion")),
        }
        for index, (reference, model) in enumerate(pairs)
    ]


def _check_request(judge: Judge, template: str) -> None:
    if not judge.spec.top_logprobs:
        raise UserError(f"judge {judge.spec.model!r}: AlpacaEval reads token log-probs: set top_logprobs to 5")
    if not template.strip().startswith("<|im_start|>") or any(template.count(field) != 1 for field in _MARKUP[2:]):
        raise UserError(
            "an AlpacaEval judge prompt must begin with <|im_start|> and hold {instruction}, {output_1} and "
            "{output_2} once each"
        )


def _annotator(judge: Judge, template: str) -> Any:
    """The library's official annotator with its completions taken from `judge`; it keeps no cache."""
    from alpaca_eval.annotators import PairwiseAnnotator  # type: ignore[import-untyped]
    from alpaca_eval.utils import prompt_to_chatml  # type: ignore[import-untyped]

    def complete(prompts: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        conversations = [
            [
                Message(role=message["role"], content=message["content"].replace(_GUARD, ""))
                for message in prompt_to_chatml(prompt)
            ]
            for prompt in prompts
        ]
        return {"completions_all": [_completion(answer) for answer in judge.ask(conversations)]}

    annotator = PairwiseAnnotator(annotators_config=ANNOTATOR, caching_path=None)
    for single in annotator.annotators.values():
        single.prompt_template = template
        single.fn_completions = complete
        single.completions_kwargs = {}
    return annotator


def _completion(answer: Answer | None) -> dict[str, Any]:
    """An answer in the shape that the library's parser reads; it makes no preference of a missing one."""
    if answer is None:
        return {"text": "", "finish_reason": None}
    return {"text": answer.text, "finish_reason": answer.finish_reason, "logprobs": answer.logprobs}


def _plain(completion: object) -> Json:
    """The completion of a row, None where the judge was not asked (pandas fills NaN in)."""
    return completion if isinstance(completion, dict) else None


def _guard(text: str) -> str:
    for mark in _MARKUP:
        text = text.replace(mark, mark[0] + _GUARD + mark[1:])
    return text
