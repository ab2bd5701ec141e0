"""A model that a study did not train, beside those that it did: asked by the same suites, judged by the same judge."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from eval_suites.tamper import CHECKS
from harness.board import Board
from harness.home import Home
from harness.kinds import ADAPTED, API_ANSWERS, API_TURNS, BASE, GIVEN_ANSWERS
from harness.kinds.adapted import AdaptedSpec
from harness.kinds.api_answers import ApiAnswersSpec, ApiTurnsSpec
from harness.kinds.base import CHECKPOINT_FILES, BaseSpec, Checkpoint
from harness.kinds.given_answers import GivenAnswersSpec
from harness.method import method_name
from harness.plan import Arm, Plan, ProfilePlanner
from harness.profile import Profile
from harness.recording import profile_digest
from harness.stage import External, Input, Produced, Stage
from harness.suites import alpaca_eval, mt_bench
from harness.suites import suites as known_suites
from harness.targets import Adapter, Answers, Endpoint, Target, Weights
from results.digest import Json, digest, file_digest
from results.errors import UserError
from results.records import LONGEST_NAME
from results.store import Store
from results.text import plain

BY_TEXT = ("alpaca_eval", "mt_bench")  # the suites that need a model's answers and nothing else of it
NONE: Mapping[str, str] = MappingProxyType({})
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def suites_for(
    profile: Profile, target: Target, asked: Sequence[str], leaving: Mapping[str, str] = NONE
) -> tuple[str, ...]:
    """The suites of a profile that a target is scored by: those that are asked for, else all that it can be asked by.

    leaving: suites that this target cannot be asked by for reasons of its own, with these
    Raises UserError for a suite that the profile has not, or that cannot be asked of the target.
    """
    known = profile.suites.asked
    possible: list[str]
    if isinstance(target, Answers):
        possible = [name for name in known if target.suite == name]
    else:
        possible = [
            name for name in known if name not in leaving and (name in BY_TEXT or not isinstance(target, Endpoint))
        ]
    for name in asked:
        if name not in known:
            raise UserError(f"--suite {name}: {profile.name} has no such suite; it has {', '.join(known)}")
        if name in leaving:
            raise UserError(f"--suite {name}: {leaving[name]}")
        if name not in possible:
            raise UserError(
                f"--suite {name}: {target.origin} cannot be asked by it; it can by {', '.join(possible) or 'none'}"
            )
    if not possible:
        raise UserError(
            f"{target.origin}: {profile.name} has no suite that it can be scored by; it has {', '.join(known)}"
        )
    return tuple(name for name in known if name in (asked or possible))


def row_name(profile: Profile, target: Target, name: str | None) -> str:
    """What the row is called. Raises UserError where the study has a row of that name."""
    found = name or method_name(target.name)
    if found != method_name(found):
        raise UserError(
            f"--name {plain(found)}: a name has small letters, digits and . + - only, {LONGEST_NAME} at most, such as "
            f"{method_name(found[:40])}"
        )
    taken = [*profile.methods, "base", *CHECKS]
    if found in taken:
        raise UserError(f"{found}: {profile.name} has a row of this name; give another by --name")
    return found


def check_row_is_free(store: Store, profile: Profile, row: Arm) -> None:
    """Raises UserError where another model from elsewhere has the row of this name.

    Two folders may have one name, so content decides; rows of earlier versions are known by the words alone.
    """
    for arm in store.arms(profile_digest(profile)):
        words = arm.settings.get("external", row.external)
        known = arm.settings.get("external_digest")
        same = words == row.external if known is None else known == row.external_digest
        if arm.name == row.name and not same:
            other = "another one called so" if words == row.external else plain(str(words))
            raise UserError(
                f"{row.external}: {other} has the row {row.name}; give another name by --name, or this one to take "
                "its place"
            )


def external_arm(planner: ProfilePlanner, target: Target, name: str, suites: Sequence[str]) -> Arm:
    """The row of a target: the stage that its answers begin with, and those that score it."""
    seed = planner.profile.seeds[0]
    if isinstance(target, Weights | Adapter):
        model = _model(planner, target, name)
        configs = planner.profile.suites.asked
        scores = tuple(known_suites()[suite].plan(configs[suite], model, name, planner) for suite in suites)
        first = model.stage
    else:
        scores = tuple(_from_text(planner, target, suite, name) for suite in suites)
        first = scores[0]
    known = digest(_identity(target, first))
    return Arm(name, seed, 0, first, scores, external=target.origin, external_digest=known)


def _identity(target: Target, made: Stage) -> Json:
    """What tells a target from others: content, a commit, or who is asked where. `made`: the stage of its model."""
    given: list[Json] = [item.digest for item in made.inputs.values() if isinstance(item, External)]
    match target:
        case Endpoint():
            return {"model": target.spec.model, "address": target.address}
        case Answers():
            return file_digest(target.file)
        case Weights():
            return [target.hub, target.revision, *given]
        case Adapter():
            base = made.inputs["base"]
            assert isinstance(base, Produced)
            return [*given, None if target.base is None else _identity(target.base, base.stage)]


def with_what_is_there(arm: Arm, suites: Sequence[str], asked: Sequence[str], home: Home) -> Arm:
    """The row of all `suites` with those of its scores that are asked for, and those that were made before."""
    board = Board(arm.stages, home.artifacts)
    kept = [
        stage
        for suite, stage in zip(suites, arm.scores, strict=True)
        if suite in asked or board[stage].status in ("cached", "diverged")
    ]
    return replace(arm, model=arm.model if arm.model not in arm.scores else kept[0], scores=tuple(kept))


def plan_beside(planner: ProfilePlanner, arm: Arm, with_: Sequence[str], home: Home) -> Plan:
    """The row with those rows of the study that are there already, and those that it is to be compared with.

    Raises UserError where the study has no row of a name.
    """
    own = planner.plan(tuple(planner.profile.methods)).arms
    names = list(dict.fromkeys(each.name for each in own))
    for name in with_:
        if name not in names:
            raise UserError(f"--compare-with {name}: {planner.profile.name} has no such row; it has {', '.join(names)}")
    board = Board({stage.id: stage for each in own for stage in each.stages}.values(), home.artifacts)
    there = {name: all(_made(board, each) for each in own if each.name == name) for name in names}
    return Plan(planner.profile, (arm, *(each for each in own if each.name in with_ or there[each.name])))


def _made(board: Board, arm: Arm) -> bool:
    return all(board[stage].status in ("cached", "diverged") for stage in (arm.model, *arm.scores))


def _model(planner: ProfilePlanner, target: Weights | Adapter, name: str) -> Produced:
    if isinstance(target, Weights):
        return _checkpoint(planner, target, name)
    base = (
        Produced(planner.base, "model") if target.base is None else _checkpoint(planner, target.base, f"base of {name}")
    )
    inputs: dict[str, Input] = {"base": base, "adapter": _files(target.folder, ADAPTER_FILES)}
    return Produced(planner.add(Stage(ADAPTED, AdaptedSpec(), inputs, label=f"adapter {name}")), "model")


def _checkpoint(planner: ProfilePlanner, weights: Weights, name: str) -> Produced:
    spec, inputs = Checkpoint(hub=weights.hub, revision=weights.revision), {}
    if weights.hub is None:
        inputs = {"checkpoint": _files(weights.folder, CHECKPOINT_FILES)}
    return Produced(planner.add(Stage(BASE, BaseSpec(base=spec), inputs, label=f"checkpoint {name}")), "model")


def _files(folder: Path, patterns: Sequence[str]) -> External:
    """A folder of which only some files count: what lies beside them (optimiser states, logs) is no part of a model."""
    found = {path.name: file_digest(path) for pattern in patterns for path in sorted(folder.glob(pattern))}
    return External(folder, digest(found))


def _from_text(planner: ProfilePlanner, target: Endpoint | Answers, suite: str, name: str) -> Stage:
    config = planner.profile.suites
    if suite == "alpaca_eval":
        assert config.alpaca_eval is not None
        made = _answers(planner, target, config.alpaca_eval, name)
        beside: Mapping[str, Input] = {"engine": Produced(made, "engine.json")}
        return alpaca_eval.judged(config.alpaca_eval, Produced(made, "outputs.json"), name, planner, beside)
    assert config.mt_bench is not None
    if isinstance(target, Answers):
        given = External(target.file, file_digest(target.file))
        return mt_bench.judged(config.mt_bench, given, name, planner)
    questions = mt_bench.files_of(config.mt_bench, planner)["questions"]
    spec = ApiTurnsSpec(
        model=target.spec.model,
        address=target.address,
        sampling=config.mt_bench.sampling,
        limit=config.mt_bench.limit,
    )
    turns = planner.add(Stage(API_TURNS, spec, {"questions": questions}, label=f"MT-Bench answers {name}"))
    beside = {"engine": Produced(turns, "engine.json")}
    answers = Produced(turns, "answers.jsonl")
    return mt_bench.judged(config.mt_bench, answers, name, planner, beside, sampling=spec.sampling)


def _answers(planner: ProfilePlanner, target: Endpoint | Answers, config: alpaca_eval.AlpacaEval, name: str) -> Stage:
    """The stage that leaves the answers to AlpacaEval's instructions."""
    asked: dict[str, Input] = {"instructions": planner.place(config.instructions)}
    if isinstance(target, Answers):
        asked["answers"] = External(target.file, file_digest(target.file))
        return planner.add(Stage(GIVEN_ANSWERS, GivenAnswersSpec(limit=config.limit), asked, label=f"answers {name}"))
    spec = ApiAnswersSpec(model=target.spec.model, address=target.address, sampling=config.sampling, limit=config.limit)
    return planner.add(Stage(API_ANSWERS, spec, asked, label=f"answers {name}"))
