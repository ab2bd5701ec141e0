"""What one part of a profile says of another: names that must exist, budgets that must match."""

from collections.abc import Iterable, Sequence
from math import inf

from pydantic import ValidationError

from eval_suites.alpaca_official import asks_as_official
from eval_suites.judge import JudgeIdentity, JudgeSpec
from eval_suites.tamper import CHECKS
from harness.engine_checks import check_engine
from harness.lora_checks import check_lora
from harness.microworld.judge import MODEL as LOCAL_JUDGE
from harness.profile import Dataset, Profile, Setting, Step
from harness.profile_faults import explain
from harness.suites import suites as known_suites
from harness.suites.contract import WORLD
from harness.suites.judged import is_local_judge
from results.claims.catalogue import metrics_of
from results.errors import UserError
from trainers.datasets import Source, check_source, record_type
from trainers.objectives import find_objective
from trainers.records import RecordType

TRAINING = ("training/clamped_items",)  # columns that every study has


def check_profile(profile: Profile) -> None:
    """Raises UserError, with the place in the profile, for the first thing that does not fit."""
    _check_seeds(profile)
    _check_world(profile)
    _check_data(profile)
    _check_methods(profile)
    _check_comparisons(profile)
    _check_judges(profile)
    _check_alpaca_eval(profile)
    _check_probes(profile)
    check_engine(profile)
    check_lora(profile)
    _check_context(profile)
    _check_columns(profile)


def _known(name: str, among: Iterable[str], where: str, kind: str) -> None:
    names = list(among)
    if name not in names:
        raise UserError(f"{where}: there is no {kind} {name!r}; there are {', '.join(names) or 'none'}")


def _check_seeds(profile: Profile) -> None:
    _check_once(profile.seeds, "seeds")


def _check_once(values: Sequence[Setting], where: str) -> None:
    twice = next((value for i, value in enumerate(values) if value in values[:i]), None)
    if twice is not None:
        raise UserError(f"{where}: {twice} stands twice")


def _datasets(profile: Profile) -> dict[str, Dataset]:
    """Every dataset by its place in the profile."""
    pretrain = profile.base.pretrain
    named = {f"data.{name}": dataset for name, dataset in profile.data.items()}
    return named | ({"base.pretrain.data": pretrain.data} if pretrain else {})


def _check_data(profile: Profile) -> None:
    if profile.base.pretrain and profile.base.pretrain.data.validation:
        raise UserError("base.pretrain.data.validation: nothing is swept in pretraining; leave it out")
    for where, dataset in _datasets(profile).items():
        for i, source in enumerate(dataset.sources):
            try:
                check_source(source)
            except UserError as error:
                raise UserError(f"{where}.sources.{i}: {error}") from None


def _check_methods(profile: Profile) -> None:
    order = list(profile.methods)
    if "base" in order:
        raise UserError("methods.base: this name is the base model's own row; choose another")
    for name, method in profile.methods.items():
        for i, step in enumerate(method.steps):
            where = f"methods.{name}.steps.{i}"
            if isinstance(step, Step):
                _check_step(profile, step, where)
                continue
            _known(step, order, where, "method")
            if order.index(step) >= order.index(name):
                raise UserError(f"{where}: method {step!r} must be written above {name!r}, which builds on it")
        _check_validation(profile, name)


def _check_validation(profile: Profile, method: str) -> None:
    """The records that decide a sweep are new to the model that it starts from."""
    pretrain = profile.base.pretrain
    learned = {"base.pretrain.data": pretrain.data} if pretrain else {}
    for step in profile.steps(method):
        own = f"data.{step.data}"
        for where, dataset in learned.items() if step.swept else ():
            for source in dataset.sources if where != own else ():
                if any(_overlap(source, other) for other in profile.data[step.data].sources):
                    raise UserError(
                        f"methods.{method}: the sweep on {step.data!r} is decided by some of its records, and {where}, "
                        f"which is trained on before, has rows of {source.name} that it has; give each its own rows "
                        "by 'skip' and 'limit'"
                    )
        learned[own] = profile.data[step.data]


def _check_sweep(profile: Profile, step: Step, where: str) -> None:
    for place, values in step.swept.items():
        if len(values) < 2:
            raise UserError(
                f"{where}.{place}: a list is a sweep, of two values or more; write one value without brackets"
            )
        _check_once(values, f"{where}.{place}")
    if step.swept and not profile.data[step.data].validation:
        raise UserError(
            f"{where}: a sweep is decided by held-out records; write how many into data.{step.data}, such as "
            "'validation: 200'"
        )


def _check_step(profile: Profile, step: Step, where: str) -> None:
    _known(step.data, profile.data, f"{where}.data", "dataset")
    _known(step.budget, profile.budgets, f"{where}.budget", "budget")
    try:
        objective = find_objective(step.objective)
    except UserError as error:
        raise UserError(f"{where}.objective: {error}") from None
    _check_sweep(profile, step, where)
    for candidate in step.candidates:
        try:
            objective.settings.model_validate(candidate.settings)
        except ValidationError as error:
            known = objective.settings.model_fields
            raise UserError(f"{where}.settings.{explain(error, candidate.settings, known)}") from None
    types = record_types(profile.data[step.data])
    try:
        objective.check_records(types)
    except UserError as error:
        raise UserError(f"{where}.data: {error}") from None
    batch = profile.budgets[step.budget].global_batch
    if "pair" in types and batch % 2:
        raise UserError(f"budgets.{step.budget}.global_batch: {batch} is odd, and a pair is two responses")


def record_types(dataset: Dataset) -> set[RecordType]:
    """The record types that are known before anything is read."""
    return {kind for source in dataset.sources if (kind := record_type(source)) is not None}


def _check_comparisons(profile: Profile) -> None:
    for name, methods in profile.comparisons.items():
        for method in methods:
            _known(method, profile.methods, f"comparisons.{name}", "method")
        for what, seen in (
            ("responses seen", {method: str(profile.responses(method)) for method in methods}),
            ("batch, schedule and warm-up", {method: profile.schedule(method) for method in methods}),
        ):
            if len(set(seen.values())) > 1:
                stated = ", ".join(f"{method} {value}" for method, value in seen.items())
                raise UserError(f"comparisons.{name}: budgets are not matched; {what}: {stated}")


def _check_judges(profile: Profile) -> None:
    judges: dict[JudgeIdentity, tuple[str, JudgeSpec]] = {}
    for name, suite in profile.suites.asked.items():
        judge = getattr(suite, "judge", None)
        if isinstance(judge, JudgeSpec) and is_local_judge(judge) and not profile.world:
            raise UserError(f"suites.{name}.judge.model: {LOCAL_JUDGE!r} judges in a world, and the profile has none")
        if isinstance(judge, JudgeSpec):
            first, known = judges.setdefault(judge.identity, (name, judge))
            if known != judge:
                raise UserError(
                    f"suites.{name}.judge: is that of suites.{first}, reached or paid in another way; write both alike"
                )


def _check_alpaca_eval(profile: Profile) -> None:
    suite = profile.suites.alpaca_eval
    if suite is None:
        return
    for name in CHECKS if suite.tamper_checks else ():
        if name in profile.methods:
            raise UserError(f"methods.{name}: a row of suites.alpaca_eval.tamper_checks has this name; choose another")
    for key, wanted in (("covariates", suite.covariates), ("difficulty", suite.difficulty)):
        if wanted and suite.limit:
            raise UserError(f"suites.alpaca_eval.{key}: is of all 805 instructions; leave 'limit' out")
    judge = suite.judge
    if suite.difficulty and (suite.both_orders or not asks_as_official(judge)):
        own = "the local judge" if judge.model == LOCAL_JUDGE else f"{judge.model} with {judge.parameters}"
        raise UserError(
            f"suites.alpaca_eval.difficulty: is of AlpacaEval 2's own judge in its own order, not of "
            f"{'both orders' if suite.both_orders else own}"
        )


def _check_probes(profile: Profile) -> None:
    probes = profile.suites.probes
    if probes is None:
        return
    for role, name, wanted in (
        ("demonstrations", probes.demonstrations, "demonstration"),
        ("pairs", probes.pairs, "pair"),
    ):
        if name is None:
            continue
        where = f"suites.probes.{role}"
        _known(name, profile.data, where, "dataset")
        if other := sorted(record_types(profile.data[name]) - {wanted}):
            raise UserError(f"{where}: dataset {name!r} has records of type {other[0]}, and {wanted} is wanted")
        if profile.data[name].validation:
            raise UserError(f"data.{name}.validation: {where} reads the whole of {name!r}; leave it out")
        _check_held_out(profile, name, where)


def _check_held_out(profile: Profile, held_out: str, where: str) -> None:
    used = {step.data: method for method in profile.methods for step in profile.steps(method)}
    if held_out in used:
        raise UserError(f"{where}: {held_out!r} must be held out, and method {used[held_out]!r} trains on it")
    for place, dataset in _datasets(profile).items():
        trained = place == "base.pretrain.data" or place.removeprefix("data.") in used
        for one in dataset.sources if trained else ():
            if any(_overlap(one, other) for other in profile.data[held_out].sources):
                raise UserError(
                    f"{where}: {held_out!r} must be held out, and {place} has rows of {one.name} that it has"
                )


def _overlap(one: Source, other: Source) -> bool:
    """Whether two sources take some of the same rows of one file."""
    if (one.file, one.hub, one.split, one.config) != (other.file, other.hub, other.split, other.config):
        return False
    ends = [source.skip + (inf if source.limit is None else source.limit) for source in (one, other)]
    return max(one.skip, other.skip) < min(ends)


def _check_context(profile: Profile) -> None:
    """What is longer than the model's context would fail only when it is met."""
    shape = profile.base.shape
    for where, dataset in _datasets(profile).items() if shape else ():
        if shape and dataset.max_length > shape.context:
            raise UserError(f"{where}.max_length: {dataset.max_length} is more than base.shape.context={shape.context}")
    for name, suite in profile.suites.asked.items() if shape else ():
        if shape and suite.new_tokens > shape.context:
            raise UserError(
                f"suites.{name}.sampling.max_new_tokens: {suite.new_tokens} is more than "
                f"base.shape.context={shape.context}"
            )


def _check_columns(profile: Profile) -> None:
    """What the leaderboard shows and the claims test is there to be scored."""
    wanted = profile.leaderboard
    _known(wanted.baseline, ["base", *profile.methods], "leaderboard.baseline", "method")
    known = [*(column for suite in profile.suites.asked.values() for column in suite.columns), *TRAINING]
    suites = {*known_suites(), *(column.partition("/")[0] for column in known)}
    shown = [("leaderboard.main", wanted.main), *(("leaderboard.columns", column) for column in wanted.columns)]
    tested = [(f"claims.{role}", column) for role, column in metrics_of(profile.claims)]
    for where, column in [*shown, *tested]:
        suite, _, metric = column.partition("/")
        of_a_board = "*" in known and suite not in suites and metric
        if not of_a_board and f"{suite}/*" not in known:
            _known(column, [each for each in known if each != "*"], where, "column")


def _check_world(profile: Profile) -> None:
    if profile.world is None and f'"{WORLD}' in profile.model_dump_json():
        raise UserError(f"world: is missing, and a path begins with '{WORLD}'")
