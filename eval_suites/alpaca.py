"""AlpacaEval 2 through the alpaca-eval library: asking the judge, and the scores."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from statistics import fmean
from typing import Any

from eval_suites.alpaca_files import (
    Row,
    by_instruction,
    check_belongs,
    preference,
    read_annotations,
    read_outputs,
)
from eval_suites.alpaca_length_controlled import length_controlled
from eval_suites.alpaca_official import ANNOTATOR, departures
from eval_suites.answer_store import Answer
from eval_suites.judge import Judge
from eval_suites.length_controlled_refit import DifficultyTable, length_controlled_refit, read_table
from eval_suites.quiet import quiet
from results.digest import Json, digest
from results.errors import UserError
from results.rows import Item, Score
from trainers.records import Message

SUITE = "alpaca_eval"
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
            "generator_1": reference["generator"],
            "output_1": reference["output"],
            "generator_2": model["generator"],
            "output_2": model["output"],
            "annotator": judge.spec.model if template == stock_prompt() else f"{judge.spec.model} with another prompt",
            "preference": preference(annotated[index]),
            "raw_completion": _plain(annotated[index].get("preference_raw_completion")),
        }
        for index, (reference, model) in enumerate(pairs)
    ]


def win_rate(annotations: Sequence[Row], n_expected: int) -> tuple[Score, list[Item]]:
    """The win rate in percent with its standard error, by the library's own metric, and each instruction's share.

    An item is named by a digest of its instruction, so that items of different models pair whatever their order; its
    value is 100 · (preference − 1), None where there is no preference. Those, and instructions with no row at all,
    make the score incomplete; its value is then the mean over the rest. With another judge, another baseline or other
    instructions than AlpacaEval 2's it is the same statistic of something else: `detail["official"]` says whether, and
    `detail["departures"]` what differs.
    """
    if len(annotations) > n_expected:
        raise ValueError(f"{len(annotations)} annotations for {n_expected} expected instructions")
    preferences = [preference(row) for row in annotations]
    items = [
        Item(
            suite=SUITE,
            metric="win_rate",
            item=digest(row["instruction"])[:16],
            value=None if chosen is None else 100 * (chosen - 1),
            detail={
                "index": index,
                "dataset": row.get("dataset", ""),
                "characters": len(row["output_2"]),
                "baseline_characters": len(row["output_1"]),
            },
        )
        for index, (row, chosen) in enumerate(zip(annotations, preferences, strict=True))
    ]
    scored = [chosen for chosen in preferences if chosen is not None]
    counts = _winrate([{"preference": chosen} for chosen in scored]) if scored else {}
    changes = departures(annotations)
    score = Score(
        suite=SUITE,
        metric="win_rate",
        value=counts.get("win_rate"),
        standard_error=counts.get("standard_error") if len(scored) > 1 else None,
        n_expected=n_expected,
        n_scored=len(scored),
        detail={
            "unit": "percent",
            "aggregate": "mean",
            "official": not changes,
            "departures": list(changes),
            "discrete_win_rate": counts.get("discrete_win_rate"),
            "wins": int(counts.get("n_wins", 0)),
            "losses": int(counts.get("n_wins_base", 0)),
            "draws": int(counts.get("n_draws", 0)),
            "annotators": sorted({str(row["annotator"]) for row in annotations if row.get("annotator")}),
            "baselines": sorted({str(row["generator_1"]) for row in annotations if row.get("generator_1")}),
            "library": f"alpaca-eval {metadata.version('alpaca-eval')}",
        },
    )
    return score, items


def answer_statistics(outputs: Sequence[Row]) -> tuple[list[Score], list[Item]]:
    """What stands beside a win rate: average length in characters (the board's, before it cuts the fraction off),

    and, where the rows tell, the share of answers that ended by themselves (percent) and their average tokens.
    """
    measures = [("average_length", "characters", [float(len(row["output"])) for row in outputs])]
    if all(isinstance(row.get("finished"), bool) for row in outputs):
        measures.append(("termination_rate", "percent", [100.0 * row["finished"] for row in outputs]))
    if all(isinstance(row.get("n_tokens"), int) for row in outputs):
        measures.append(("average_tokens", "tokens", [float(row["n_tokens"]) for row in outputs]))
    n = len(outputs)
    names = [digest(row["instruction"])[:16] for row in outputs]
    scores = [
        Score(
            suite=SUITE,
            metric=metric,
            value=fmean(values) if n else None,
            n_expected=n,
            n_scored=n,
            detail={"unit": unit, "aggregate": "mean"},
        )
        for metric, unit, values in measures
    ]
    items = [
        Item(suite=SUITE, metric=metric, item=name, value=value)
        for metric, _, values in measures
        for name, value in zip(names, values, strict=True)
    ]
    return scores, items


def score(
    outputs: Sequence[Row],
    annotations: Sequence[Row],
    covariates: Path | None = None,
    difficulty: DifficultyTable | None = None,
) -> tuple[list[Score], list[Item]]:
    """All scores of a model's answers: the win rate, what stands beside it, and the length-controlled rates asked for.

    Every win rate says in its detail how the answers ended and how long they are, where the rows tell.
    """
    statistics, items = answer_statistics(outputs)
    rate, wins = win_rate(annotations, len(outputs))
    rates = [rate]
    if covariates is not None:
        rates.append(length_controlled(annotations, len(outputs), covariates))
    if difficulty is not None:
        rates.append(length_controlled_refit(annotations, len(outputs), difficulty))
    names = {
        "average_length": "mean_characters",
        "termination_rate": "termination_rate",
        "average_tokens": "mean_tokens",
    }
    about: dict[str, Json] = {names[each.metric]: each.value for each in statistics}
    rates = [each.model_copy(update={"detail": {**each.detail, **about}}) for each in rates]
    return [*rates, *statistics], [*wins, *items]


def score_stored(
    outputs_path: Path,
    annotations_path: Path,
    covariates: Path | None = None,
    difficulty: Path | None = None,
) -> tuple[list[Score], list[Item]]:
    """The scores of a model from a file of its answers and a file of a judge's annotations of them.

    covariates: upstream's df_gamed.csv, for the length-controlled win rate
    difficulty: a table of refitted difficulties, for the approximation to it

    Instructions without an annotation make the win rate incomplete. Raises UserError for files that are not what
    they should be, or do not belong together.
    """
    outputs = read_outputs(outputs_path)
    annotations = by_instruction(read_annotations(annotations_path), str(annotations_path))
    check_belongs(outputs, annotations, outputs_path, annotations_path)
    ordered = [annotations[row["instruction"]] for row in outputs if row["instruction"] in annotations]
    table = None if difficulty is None else read_table(difficulty)
    return score(outputs, ordered, covariates, table)


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


def _winrate(rows: list[Row]) -> dict[str, float]:
    with quiet():
        from alpaca_eval.metrics import get_winrate  # type: ignore[import-untyped]

        return {name: float(value) for name, value in get_winrate(rows).items()}
