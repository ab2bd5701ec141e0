"""`bridgebench evaluate`: a model from elsewhere beside the rows of a study, or what is stored of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli_compare import pair_json, print_pairs
from harness.cli_scores import print_scores, score_stored
from harness.options import DEFAULT_HOME, HereOption, HomeOption, JsonOption, MaxUsdOption, StudyOption
from harness.terminal import console as new_console
from harness.terminal import print_json
from results.errors import UserError

if TYPE_CHECKING:
    from harness.comparing import Pair
    from harness.home import Home
    from harness.plan import Plan


def evaluate(  # noqa: PLR0917  (typer's options have names)
    target: Annotated[
        str | None,
        typer.Argument(
            help="A hub id, a folder with a checkpoint or a LoRA adapter, openai:MODEL@BASE_URL, or a file of answers."
        ),
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option(help="A suite of the profile; repeat for several. Default: all that fit.")
    ] = None,
    profile: StudyOption = "micro",
    compare_with: Annotated[
        list[str] | None, typer.Option(help="A row of the study that it is compared with; repeat for several.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The name of its row (default: the model's, or the one that all answers name).")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Of a hub id: a branch, tag or commit.")] = None,
    base: Annotated[str | None, typer.Option(help="Of an adapter: its base, a hub id or folder.")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="Of an endpoint: the variable that holds its key.")] = None,
    usd_per_million_input: Annotated[
        float | None, typer.Option(min=0, help="Of an endpoint: dollars for a million tokens read, for --max-usd.")
    ] = None,
    usd_per_million_output: Annotated[
        float | None, typer.Option(min=0, help="Of an endpoint: dollars for a million tokens written.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    here: HereOption = False,
    max_usd: MaxUsdOption = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Without a target: a judge's stored judgments (.json, .jsonl, also .gz).")
    ] = None,
    outputs: Annotated[Path | None, typer.Option(help="The answers that were judged.")] = None,
    covariates: Annotated[
        Path | None, typer.Option(help="alpaca_eval: df_gamed.csv, for the official length-controlled win rate.")
    ] = None,
    difficulty: Annotated[
        Path | None, typer.Option(help="alpaca_eval: a table of `bridgebench difficulty`, for an approximation to it.")
    ] = None,
    questions: Annotated[Path | None, typer.Option(help="mt_bench: upstream's question.jsonl.")] = None,
    model: Annotated[str | None, typer.Option(help="mt_bench: whose judgments, where a file has several's.")] = None,
    baseline: Annotated[str | None, typer.Option(help="mt_bench: the other model of pairwise judgments.")] = None,
    judge: Annotated[Path | None, typer.Option(help="The judge.json that stands beside judgments of our own.")] = None,
    answers: Annotated[Path | None, typer.Option(help="ifeval: stored answers (.jsonl with prompt, response).")] = None,
    data: Annotated[
        Path | None, typer.Option(help="ifeval: a folder with the benchmark's files (default: the hub's cache).")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Evaluate a model from elsewhere by the suites of a study, with its judge and prompts; it becomes a row of it.

    The row is marked as external, and never takes part in comparisons under a matched budget.

    bridgebench evaluate org/model --compare-with sft-1e-3

    bridgebench evaluate ./checkpoint --suite alpaca_eval

    bridgebench evaluate ./adapter --base ./checkpoint

    bridgebench evaluate openai:my-model@http://127.0.0.1:8000/v1

    bridgebench evaluate model_outputs.json --profile real-rows

    Without a target, stored judgments or answers are scored as upstream scores them:

    bridgebench evaluate --suite alpaca_eval --outputs model_outputs.json --annotations annotations.json

    bridgebench evaluate --suite mt_bench --questions question.jsonl --annotations gpt-4_single.jsonl

    bridgebench evaluate --suite ifeval --answers input_response_data.jsonl
    """
    stored = {
        "annotations": annotations,
        "outputs": outputs,
        "covariates": covariates,
        "difficulty": difficulty,
        "questions": questions,
        "model": model,
        "baseline": baseline,
        "judge": judge,
        "answers": answers,
        "data": data,
    }
    if target is None:
        score_stored(suite or [], stored, json_)
        return
    if option := next((option for option, value in stored.items() if value is not None), None):
        raise UserError(f"--{option} is for stored judgments and answers: leave {target} out, or the option")
    _evaluate(
        target,
        profile,
        suites=suite or [],
        with_=compare_with or [],
        name=name,
        found={
            **{"revision": revision, "base": base, "api_key_env": api_key_env},
            "prices": (usd_per_million_input, usd_per_million_output),
        },
        home=home,
        here=here,
        max_usd=max_usd,
        json_=json_,
    )


def _evaluate(
    text: str,
    profile: str,
    *,
    suites: list[str],
    with_: list[str],
    name: str | None,
    found: dict[str, Any],
    home: Path,
    here: bool,
    max_usd: float | None,
    json_: bool,
) -> None:
    from harness.extending import find_profile
    from harness.external import (
        check_row_is_free,
        external_arm,
        plan_beside,
        row_name,
        suites_for,
        with_what_is_there,
    )
    from harness.home import Home
    from harness.limits import Limits
    from harness.plan import ProfilePlanner
    from harness.profile import load_profile
    from harness.profile_checks import check_profile
    from harness.running import executor
    from harness.study import run_study
    from harness.target_checks import check_before
    from harness.targets import Endpoint, find_target
    from results.database import is_there
    from results.store import Store

    place, path = Home(home.resolve()), find_profile(profile)
    study = load_profile(path)
    check_profile(study)
    target = find_target(text, **found)
    row = row_name(study, target, name)
    planner = ProfilePlanner(study)
    suites_for(study, target, suites)
    leaving = check_before(planner, target, row, place, suites)
    asked = suites_for(study, target, suites, leaving)
    possible = suites_for(study, target, (), leaving)
    arm = with_what_is_there(external_arm(planner, target, row, possible), possible, asked, place)
    plan = plan_beside(planner, arm, with_, place)
    if name is None and is_there(place.store):
        with Store.open(place.store) as store:
            check_row_is_free(store, study, arm)
    console = new_console(error=json_)
    console.print(f"{row}: {target.origin}; suites: {', '.join(asked)}", highlight=False, markup=False, soft_wrap=True)
    for each in leaving:
        console.print(f"left out: {each}: {leaving[each]}", highlight=False, markup=False, soft_wrap=True)
    endpoint = target.spec if isinstance(target, Endpoint) else None
    board = run_study(plan, place, console, executor(here), Limits(usd=max_usd), asked=endpoint)
    failed = {state.stage.label: state.reason for state in board.states.values() if state.status == "failed"}
    _show(plan, place, row, with_, failed, json_=json_)


def _show(plan: "Plan", place: "Home", row: str, with_: list[str], failed: dict[str, str], *, json_: bool) -> None:
    from harness.comparing import compare_arms, scores_of
    from harness.recording import profile_digest
    from results.leaderboard import leaderboard
    from results.store import Store
    from results.tables import terminal

    digest, console = profile_digest(plan.profile), new_console()
    pairs: list[Pair] = []
    board = None
    with Store.open(place.store, create=False) as store:
        scores = scores_of(store, digest, row)
        if not failed:
            for other in with_:
                pairs += compare_arms(store, digest, row, other)
        if plan.profile.leaderboard.baseline in {arm.name for arm in plan.arms}:
            board = leaderboard(store, digest)
    complete = not failed and all(score.complete for score in scores)
    if json_:
        rows = [score.model_dump(mode="json") for score in scores]
        compared = [pair_json(pair) for pair in pairs]
        print_json({"row": row, "complete": complete, "failed": failed, "scores": rows, "compared": compared})
    else:
        if scores:
            print_scores(scores, row)
        if board is not None:
            print(terminal(board, console.width))
        else:
            console.print(
                f"the rows of {plan.profile.name} are not here: bridgebench reproduce makes them",
                highlight=False,
                soft_wrap=True,
            )
        for other in with_:
            own = [pair for pair in pairs if pair.other == other]
            print_pairs(console, f"{row} less {other} (external: its budget is not known)", own)
        for label, reason in failed.items():
            console.print(f"failed: {label}: {reason}", highlight=False, markup=False, soft_wrap=True)
    if not complete:
        raise typer.Exit(1)
