"""Scores of what is stored already (`bridgebench evaluate` without a target), and `bridgebench difficulty`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from harness.options import JsonOption
from harness.terminal import console, print_json
from results.errors import UserError
from results.rows import Score

# What of a score's details says that not all was as it should be, where it is not 0.
COUNTS = ("duplicates", "unreadable", "missing", "marked_missing", "off_scale", "other_prompts")
# What each suite reads of what is stored: the options that it wants, and those that it may have.
READS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "alpaca_eval": (("outputs", "annotations"), ("covariates", "difficulty", "judge")),
    "mt_bench": (("questions", "annotations"), ("model", "baseline", "outputs", "judge")),
    "ifeval": (("answers",), ("data",)),
}


def score_stored(suites: Sequence[str], given: Mapping[str, Any], json_: bool) -> None:
    """Scores stored judgments, or stored answers that need no judge; `given`: the options, None where left out.

    Raises UserError where not one suite is named, or its options are not given.
    """
    if len(suites) != 1:
        raise UserError("evaluate wants a target, or one --suite with what is stored: see bridgebench evaluate --help")
    suite = suites[0]
    if suite not in READS:
        raise UserError(f"--suite {suite}: what is stored can be scored for {', '.join(READS)}; a model wants a target")
    wanted, possible = READS[suite]
    for name in wanted:
        if given[name] is None:
            raise UserError(f"--suite {suite} wants --{name}")
    for name in (name for name, value in given.items() if value is not None and name not in (*wanted, *possible)):
        raise UserError(f"--{name} is not for --suite {suite}")
    own = {name: given[name] for name in (*wanted, *possible)}
    shown = own.get("annotations") or own["answers"]
    print_scores(_scores(suite, own), f"{suite}: {shown}", json_)


def _scores(suite: str, own: Mapping[str, Any]) -> list[Score]:
    match suite:
        case "alpaca_eval":
            from eval_suites.alpaca import score_stored as score_alpaca

            beside = {name: own[name] for name in ("covariates", "difficulty", "judge")}
            return score_alpaca(own["outputs"], own["annotations"], **beside)[0]
        case "mt_bench":
            from eval_suites.mt_bench_stored import score_stored as score_mt_bench

            beside = {"baseline": own["baseline"], "answers": own["outputs"], "judge": own["judge"]}
            return score_mt_bench(own["questions"], own["annotations"], own["model"], **beside)[0]
        case _:
            from eval_suites.ifeval_answers import read_ifeval_answers
            from eval_suites.open_llm import evaluate_answers

            return evaluate_answers(read_ifeval_answers(own["answers"]), own["data"])[0]


def difficulty(
    annotations: Annotated[
        list[str], typer.Argument(help="NAME=FILE: a model's name on AlpacaEval's board, its file.")
    ],
    out: Annotated[Path, typer.Option(help="The table to write.")],
    json_: JsonOption = False,
) -> None:
    """Refit AlpacaEval's difficulties from stored annotations, for a length-controlled rate without df_gamed.csv.

    Prints how far the rate of each model lies from its published one, with the model itself left out.

    bridgebench difficulty vicuna-7b=vicuna/annotations.json gemma-2b-it=gemma/annotations.json --out table.json
    """
    from eval_suites.length_controlled_refit import refit, write_table

    files: dict[str, Path] = {}
    for each in annotations:
        name, equals, place = each.partition("=")
        if not (name and equals and place):
            raise UserError(f"{each}: NAME=FILE is wanted, such as vicuna-7b=vicuna/annotations.json")
        if name in files:
            raise UserError(f"{name} stands twice: one file a model")
        files[name] = Path(place)
    table = refit(files)
    write_table(out, table)
    errors = table.errors()
    if json_:
        rows = [row.model_dump() | {"note": table.set_aside.get(row.model, "")} for row in table.left_out]
        print_json({"table": str(out), "models": rows, "errors": errors})
        return
    shown = Table("model", "published", "refitted without it", "note", title=str(out))
    for row in table.left_out:
        shown.add_row(row.model, f"{row.published:.2f}", f"{row.refitted:.2f}", table.set_aside.get(row.model, ""))
    console().print(shown)
    print(
        f"{errors['models']:.0f} models: mean error {errors['mean_absolute']:.2f} points, largest "
        f"{errors['largest']:.2f}, rank correlation {errors['spearman']:.3f}"
    )


def notes(scores: Sequence[Score]) -> list[str]:
    """What has to be known of the scores beside their numbers: not official, and why; who judged; what was odd."""
    found: dict[str, list[str]] = {}
    for score in scores:
        detail = score.detail
        said = [f"judge: {detail['judge']}"] if "judge" in detail else []
        departures = detail.get("departures")
        if detail.get("official") is False and isinstance(departures, list):
            said.append(f"not official: {'; '.join(map(str, departures))}")
        counts = [f"{detail[name]} {name}" for name in COUNTS if detail.get(name)]
        for line in [*said, *([f"counted: {', '.join(counts)}"] if counts else [])]:
            found.setdefault(line, []).append(score.metric)
    # What holds for all scores that say such a thing at all is said once, without their names.
    official = [score.metric for score in scores if "departures" in score.detail]
    return [
        line if metrics == official or len(official) < 2 else f"{', '.join(metrics)}: {line}"
        for line, metrics in found.items()
    ]


def print_scores(scores: Sequence[Score], title: str, json_: bool = False) -> None:
    """A line a score. Ends with 1 where one is incomplete."""
    if json_:
        print_json([score.model_dump(mode="json") for score in scores])
    else:
        table = Table("metric", "value", "standard error", "items", "unit", title=title)
        several = len({score.suite for score in scores}) > 1
        for score in scores:
            metric = f"{score.suite}/{score.metric}" if several else score.metric
            value = "—" if score.value is None else f"{score.value:.2f}"
            error = "" if score.standard_error is None else f"{score.standard_error:.2f}"
            items = f"{score.n_scored}/{score.n_expected}" + ("" if score.complete else " incomplete")
            table.add_row(metric, value, error, items, str(score.detail.get("unit", "")))
        console().print(table)
        for line in notes(scores):
            print(line)
    if not all(score.complete for score in scores):
        raise typer.Exit(1)
