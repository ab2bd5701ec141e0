"""A profile expanded into stages and arms. Arms that share a stage share it in the graph."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from eval_suites.tamper import CHECKS
from harness.artifacts import folder_digest
from harness.hub import LOCAL, HubKind, commit
from harness.kinds import BASE, DATA, MISMATCH, REFERENCE, SELECT, TOKENIZER, TRAIN, VALIDATE
from harness.kinds import WORLD as WORLD_KIND
from harness.kinds.base import BaseSpec, Checkpoint, Pretrained, Random
from harness.kinds.data import DataSpec, Part, SourceView
from harness.kinds.mismatch import MismatchSpec
from harness.kinds.reference import ReferenceSpec
from harness.kinds.select import SelectSpec, described
from harness.kinds.tokenizer import TokenizerSpec
from harness.kinds.validate import VALIDATION
from harness.profile import Candidate, Dataset, Profile, Step
from harness.stage import External, Input, Produced, Stage
from harness.suites import suites
from harness.suites.alpaca_eval import plan_check
from harness.suites.contract import WORLD
from results.digest import file_digest
from results.errors import UserError
from results.installed import check_installed
from trainers.datasets.sources import expand
from trainers.objectives import find_objective
from trainers.spec import TrainSpec


@dataclass(frozen=True)
class Arm:
    """A method at one seed: the stage that makes its model, and the stages that score it.

    check:    whether it is no model, but answers that say nothing, by which a judge is checked
    external: where a model comes from that this study did not train, in words
    external_digest: what tells it from others that come from a place of the same name
    """

    name: str
    seed: int
    responses: int
    model: Stage
    scores: tuple[Stage, ...]
    check: bool = False
    external: str | None = None
    external_digest: str | None = None

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Every stage that this arm depends on, inputs before users."""
        return in_order(self.scores or (self.model,))


@dataclass(frozen=True)
class Plan:
    """The arms of a profile and all their stages, inputs before users."""

    profile: Profile
    arms: tuple[Arm, ...]

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        return in_order(stage for arm in self.arms for stage in (arm.model, *arm.scores))


def in_order(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """The stages and all above them, each once, inputs before users."""
    found: dict[str, Stage] = {}

    def visit(stage: Stage) -> None:
        if stage.id not in found:
            for parent in stage.parents:
                visit(parent)
            found[stage.id] = stage

    for stage in stages:
        visit(stage)
    return tuple(found.values())


def make_plan(profile: Profile, methods: Iterable[str] | None = None) -> Plan:
    """Expands a checked profile; `methods` keeps only some of its methods.

    Raises UserError where a file that the profile names does not exist.
    """
    return ProfilePlanner(profile).plan(tuple(methods) if methods is not None else tuple(profile.methods))


@dataclass(frozen=True)
class ProfilePlanner:
    """Makes stages of what a profile says; equal ones are one stage. See harness.suites.contract.Planner."""

    profile: Profile
    _stages: dict[str, Stage] = field(default_factory=dict)
    _given: dict[Path, External] = field(default_factory=dict)

    def plan(self, methods: tuple[str, ...]) -> Plan:
        base = Arm("base", self.profile.seeds[0], 0, self.base, self.scores(Produced(self.base, "model"), "base"))
        arms = [base]
        for name in methods:
            for seed in self.profile.seeds:
                model = Produced(self.base, "model")
                for number, step in enumerate(self.profile.steps(name)):
                    model = Produced(self.step(step, model, seed, f"{name} step {number + 1} seed {seed}"), "model")
                label = f"{name} seed {seed}"
                arms.append(Arm(name, seed, self.profile.responses(name), model.stage, self.scores(model, label)))
        return Plan(self.profile, (*arms, *self.tamper_checks()))

    def tamper_checks(self) -> Iterator[Arm]:
        """Rows of answers that say nothing, where the profile asks for them."""
        suite = self.profile.suites.alpaca_eval
        if suite is None or not suite.tamper_checks:
            return
        for name in CHECKS:
            answers, score = plan_check(suite, name, self)
            yield Arm(name, self.profile.seeds[0], 0, answers, (score,), check=True)

    def add(self, stage: Stage) -> Stage:
        if stage.id not in self._stages:
            needed = (*stage.kind.libraries_of(stage.spec), *stage.kind.needs)
            check_installed(dict.fromkeys(needed, f"the stage {stage.label!r}"))
        return self._stages.setdefault(stage.id, stage)

    @cached_property
    def world(self) -> Stage:
        if self.profile.world is None:
            raise UserError(f"world: is missing, and a path begins with '{WORLD}'")
        return self.add(Stage(WORLD_KIND, self.profile.world, label="world", work=self.profile.world.documents))

    def place(self, path: str) -> Input:
        """A file or folder, of the world's or the user's."""
        if path.startswith(WORLD):
            return Produced(self.world, path.removeprefix(WORLD))
        location = Path(expand(path))
        if not location.exists():
            raise UserError(f"{path}: no such file or folder")
        if location not in self._given:
            content = file_digest(location) if location.is_file() else folder_digest(location)
            self._given[location] = External(location, content)
        return self._given[location]

    def hub_or_place(self, name: str, revision: str | None, kind: HubKind) -> Input | str:
        """What a hub id or a local folder stands for: the folder, by its content, or the commit on the hub."""
        if Path(expand(name)).is_dir() or name.startswith(LOCAL):
            return self.place(name)
        return commit(name, revision, kind)

    def sources(self, dataset: Dataset) -> tuple[tuple[SourceView, ...], dict[str, Input]]:
        views, inputs = [], {}
        for i, source in enumerate(dataset.sources):
            fields = source.model_dump(exclude={"file", "hub", "revision"})
            if source.hub is None:
                found: Input | str = self.place(str(source.file))
            else:
                found = self.hub_or_place(source.hub, source.revision, "dataset")
            if isinstance(found, str):
                views.append(SourceView(**fields, hub=source.hub, revision=found))
            else:
                inputs[f"source{i}"] = found
                views.append(SourceView(**fields, input=f"source{i}"))
        return tuple(views), inputs

    @cached_property
    def tokenizer(self) -> Input:
        wanted = self.profile.base.tokenizer
        if self.profile.base.checkpoint is not None:
            return Produced(self.base, "tokenizer")
        if isinstance(wanted, str):
            return self.place(wanted)
        probes = self.profile.suites.probes
        held_out = (probes.demonstrations, probes.pairs) if probes else ()
        views: list[SourceView] = []
        inputs: dict[str, Input] = {}
        for name, dataset in self.profile.data.items():
            own, given = self.sources(dataset) if name not in held_out else ((), {})
            inputs |= {f"{name}.{place}": item for place, item in given.items()}
            views += [view.model_copy(update={"input": view.input and f"{name}.{view.input}"}) for view in own]
        spec = TokenizerSpec(vocabulary=wanted or 0, sources=tuple(views))
        return Produced(self.add(Stage(TOKENIZER, spec, inputs, label="tokenizer")))

    def data(self, dataset: Dataset, label: str, part: Part = "train") -> Stage:
        views, inputs = self.sources(dataset)
        spec = DataSpec(sources=views, max_length=dataset.max_length, validation=dataset.validation, part=part)
        return self.add(Stage(DATA, spec, {**inputs, "tokenizer": self.tokenizer}, label=f"data {label}"))

    @cached_property
    def base(self) -> Stage:
        source = self.profile.base
        if source.checkpoint is not None or source.shape is None:
            name = str(source.checkpoint)
            found = self.hub_or_place(name, source.revision, "model")
            checkpoint = Checkpoint(hub=name, revision=found) if isinstance(found, str) else Checkpoint()
            inputs = {} if isinstance(found, str) else {"checkpoint": found}
            return self.add(Stage(BASE, BaseSpec(base=checkpoint), inputs, label="base"))
        if source.pretrain is None:
            spec = BaseSpec(base=Random(shape=source.shape, init_seed=source.seed))
            return self.add(Stage(BASE, spec, {"tokenizer": self.tokenizer}, label="base"))
        text = source.pretrain
        training = TrainSpec(
            objective="sft",
            objective_digest=find_objective("sft").digest,
            learning_rate=text.learning_rate,
            budget=text.budget,
            optimizer=text.optimizer,
            seed=source.seed,
            devices=text.devices,
            precision=self.profile.precision,
            micro_batch_tokens=text.micro_batch_tokens,
        )
        spec = BaseSpec(base=Pretrained(shape=source.shape, init_seed=source.seed, training=training))
        data = Produced(self.data(text.data, "pretraining"))
        inputs = {"tokenizer": self.tokenizer, "data": data}
        work = text.budget.responses / text.devices
        return self.add(Stage(BASE, spec, inputs, label="base pretraining", work=work, devices=text.devices))

    def dataset(self, name: str) -> Produced:
        return Produced(self.data(self.profile.data[name], name))

    def reference(self, model: Produced, data: Produced, label: str, values: bool = False) -> Produced:
        spec = ReferenceSpec(
            micro_batch_tokens=self.profile.micro_batch_tokens, precision=self.profile.precision, values=values
        )
        return Produced(self.add(Stage(REFERENCE, spec, {"model": model, "data": data}, label=f"reference {label}")))

    def step(self, step: Step, start: Produced, seed: int, label: str) -> Stage:
        """What makes the model that a step ends with: its training, or the choice among all trainings of a sweep."""
        candidates, read = step.candidates, {"start": start, **self.learned(step, start, label)}
        if not step.swept:
            return self.train(step, candidates[0], read, seed, label)
        held_out = self.learned(step, start, f"validation {label}", "validation")
        inputs: dict[str, Input] = {}
        for i, candidate in enumerate(candidates):
            about = f"{label} {described(candidate.chosen)}"
            trained = self.train(step, candidate, read, seed, about)
            measured = {"model": Produced(trained, "model"), **held_out}
            validated = self.add(Stage(VALIDATE, trained.spec, measured, label=f"validate {about}"))
            inputs |= {f"candidate{i}": Produced(trained), f"validation{i}": Produced(validated, VALIDATION)}
        spec = SelectSpec(candidates=tuple(candidate.chosen for candidate in candidates))
        return self.add(Stage(SELECT, spec, inputs, label=f"select {label}"))

    def learned(self, step: Step, start: Produced, label: str, part: Part = "train") -> dict[str, Input]:
        """All that the objective of a step reads of a part of its data."""
        objective, dataset = find_objective(step.objective), self.profile.data[step.data]
        name = step.data if part == "train" else f"{part} {step.data}"
        data = Produced(self.data(dataset, name, part))
        reference = start if step.reference == "start" else Produced(self.base, "model")
        inputs: dict[str, Input] = {"data": data}
        if objective.needs_reference:
            inputs["reference"] = self.reference(reference, data, label, objective.needs_value)
        if objective.needs_mismatch:
            spec = MismatchSpec(max_length=dataset.max_length)
            others = Produced(self.add(Stage(MISMATCH, spec, {"data": data}, label=f"mismatch {name}")))
            inputs["mismatched"] = others
            inputs["mismatched_reference"] = self.reference(reference, others, f"mismatch {label}")
        return inputs

    def train(self, step: Step, candidate: Candidate, read: Mapping[str, Input], seed: int, label: str) -> Stage:
        objective, budget = find_objective(step.objective), self.profile.budgets[step.budget]
        settings = objective.settings.model_validate(candidate.settings)
        devices = self.profile.devices
        from_reference = step.reference == "start" or read["start"] == Produced(self.base, "model")
        training = TrainSpec(
            objective=step.objective,
            objective_digest=objective.digest,
            settings=settings.model_dump(mode="json", exclude_defaults=True),
            learning_rate=candidate.learning_rate,
            budget=budget,
            optimizer=self.profile.optimizer,
            seed=seed,
            precision=self.profile.precision,
            micro_batch_tokens=self.profile.micro_batch_tokens,
            packing=self.profile.packing,
            gradient_checkpointing=self.profile.gradient_checkpointing,
            lora=self.profile.lora,
            devices=self.profile.devices,
            sharding=self.profile.sharding,
            reference_is_start=objective.needs_reference and from_reference,
        )
        return self.add(Stage(TRAIN, training, read, label=label, work=budget.responses / devices, devices=devices))

    def scores(self, model: Produced, label: str) -> tuple[Stage, ...]:
        asked = self.profile.suites.asked
        return tuple(suites()[name].plan(config, model, label, self) for name, config in asked.items())
