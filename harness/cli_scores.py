"""`bridgebench evaluate` and `difficulty`: scores of answers and judgments that are there already."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from harness.options import JsonOption
from harness.terminal import console
from results.errors import UserError
from results.rows import Score


def evaluate(  # noqa: PLR0917  (typer's options have names)
    suite: Annotated[str, typer.Option(help="alpaca_eval or mt_bench.")],
    annotations: Annotated[Path, typer.Option(help="A judge's stored judgments (.json, .jsonl, also .gz).")],
    outputs: Annotated[Path | None, typer.Option(help="alpaca_eval: the model's answers.")] = None,
    covariates: Annotated[
        Path | None, typer.Option(help="alpaca_eval: df_gamed.csv, for the official length-controlled win rate.")
    ] = None,
    difficulty: Annotated[
        Path | None, typer.Option(help="alpaca_eval: a table of `bridgebench difficulty`, for an approximation to it.")
    ] = None,
    questions: Annotated[Path | None, typer.Option(help="mt_bench: upstream's question.jsonl.")] = None,
    model: Annotated[str | None, typer.Option(help="mt_bench: whose judgments, where a file has several's.")] = None,
    json_: JsonOption = False,
) -> None:
    """Score stored judgments as upstream does, with what is missing or unreadable counted.

    bridgebench evaluate --suite alpaca_eval --outputs model_outputs.json --annotations annotations.json

    bridgebench evaluate --suite mt_bench --questions question.jsonl --annotations gpt-4_single.jsonl
    """
    given = {"outputs": outputs, "covariates": covariates, "difficulty": difficulty}
    other = {"questions": questions, "model": model}
    match suite:
        case "alpaca_eval":
            _only(given, other, "outputs", suite)
            assert outputs is not None
            from eval_suites.alpaca import score_stored as score_alpaca

            scores, _ = score_alpaca(outputs, annotations, covariates, difficulty)
        case "mt_bench":
            _only(other, given, "questions", suite)
            assert questions is not None
            from eval_suites.mt_bench_scores import score_stored as score_mt_bench

            scores, _ = score_mt_bench(questions, annotations, model)
        case _:
            raise UserError(f"--suite {suite}: stored judgments can be scored for alpaca_eval and mt_bench")
    _print(scores, f"{suite}: {annotations}", json_)


def difficulty(
    annotations: Annotated[
        list[str], typer.Argument(help="NAME=FILE: a model's name on AlpacaEval's board, its file.")
    ],
    out: Annotated[Path, typer.Option(help="The table to write.")],
) -> None:
    """Refit AlpacaEval's difficulties from stored annotations, for a length-controlled rate without df_gamed.csv.

    Prints how far the rate of each model lies from its published one, with the model itself left out.
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
    shown = Table("model", "published", "refitted without it", "note", title=str(out))
    for row in table.left_out:
        shown.add_row(row.model, f"{row.published:.2f}", f"{row.refitted:.2f}", table.set_aside.get(row.model, ""))
    errors = table.errors()
    console().print(shown)
    print(
        f"{errors['models']:.0f} models: mean error {errors['mean_absolute']:.2f} points, largest "
        f"{errors['largest']:.2f}, rank correlation {errors['spearman']:.3f}"
    )


def _only(own: Mapping[str, object], other: Mapping[str, object], wanted: str, suite: str) -> None:
    """Raises UserError where an option of another suite is given, or the wanted one is not."""
    if own[wanted] is None:
        raise UserError(f"--suite {suite} wants --{wanted}")
    for name in (name for name, value in other.items() if value is not None):
        raise UserError(f"--{name} is not for --suite {suite}")


def _print(scores: list[Score], title: str, json_: bool) -> None:
    if json_:
        print(json.dumps([score.model_dump(mode="json") for score in scores]))
    else:
        table = Table("metric", "value", "standard error", "items", "unit", title=title)
        for score in scores:
            value = "—" if score.value is None else f"{score.value:.2f}"
            error = "" if score.standard_error is None else f"{score.standard_error:.2f}"
            items = f"{score.n_scored}/{score.n_expected}" + ("" if score.complete else " incomplete")
            table.add_row(score.metric, value, error, items, str(score.detail.get("unit", "")))
        console().print(table)
    if not all(score.complete for score in scores):
        raise typer.Exit(1)
