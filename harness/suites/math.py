"""Math: problems with checkable answers, each sampled many times (DFT's protocol)."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from eval_suites.math_answers import MathProtocol
from eval_suites.math_scores import SUITE, averaged, metrics
from harness.hub import commit
from harness.kinds.math import MATH, MathSpec
from harness.kinds.math_answers import MATH_ANSWERS, MathAnswersSpec
from harness.served import engine_inputs
from harness.stage import Input, Produced, Stage
from harness.suites.contract import Config, Planner, SuiteConfig
from trainers.datasets.sources import expand

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.+-]*$")]


class Benchmark(Config):
    """Where the problems of one benchmark lie: a file in one of the upstream shapes that eval_suites.math_problems
    reads, or a hub id (or a local folder in the hub's layout) with its split. `limit` takes the first so many.
    """

    file: str | None = None
    hub: str | None = None
    split: str | None = None
    config: str | None = None
    revision: str | None = None
    limit: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _lies_in_one_place(self) -> Self:
        if (self.file is None) == (self.hub is None):
            raise ValueError("a benchmark has either 'file' or 'hub'")
        if self.hub is not None and self.split is None:
            raise ValueError("a benchmark with 'hub' names its 'split', such as test")
        if self.file is not None and (self.split or self.config or self.revision):
            raise ValueError("'split', 'config' and 'revision' belong to a benchmark with 'hub'")
        return self


class Math(MathProtocol, SuiteConfig):
    """Benchmarks by the names that the tables give them, such as math500, minerva_math, olympiadbench, aime24, amc23;
    beside them how they are asked, by default as DFT asks."""

    benchmarks: Annotated[dict[Name, Benchmark], Field(min_length=1)]

    @model_validator(mode="after")
    def _no_benchmark_is_the_average(self) -> Self:
        if SUITE in self.benchmarks:
            raise ValueError(f"{SUITE!r} is the average over benchmarks: give the benchmark another name")
        return self

    @property
    def protocol(self) -> MathProtocol:
        """How problems are asked."""
        return MathProtocol(**self.model_dump(exclude={"benchmarks"}))

    @property
    def columns(self) -> tuple[str, ...]:
        """See SuiteConfig."""
        own = [f"{name}/{metric}" for name in self.benchmarks for metric in metrics(self.samples)]
        return (*own, *(f"{SUITE}/{metric}" for metric in averaged(self.samples)))

    @property
    def new_tokens(self) -> int:
        """See SuiteConfig."""
        return self.sampling.max_new_tokens


def plan(config: Math, model: Produced, label: str, planner: Planner) -> Stage:
    """The answers to each benchmark, then all scores."""
    answers: dict[str, Input] = {}
    engine = planner.profile.engine
    for name, benchmark in config.benchmarks.items():
        source, problems = _problems(benchmark, planner)
        spec = MathAnswersSpec(engine=engine, protocol=config.protocol, limit=benchmark.limit, **source)
        inputs: dict[str, Input] = {**engine_inputs(engine, model), **problems}
        answers[name] = Produced(planner.add(Stage(MATH_ANSWERS, spec, inputs, label=f"{name} answers {label}")))
    scored = MathSpec(benchmarks=tuple(answers), samples=config.samples)
    return planner.add(Stage(MATH, scored, answers, label=f"math {label}"))


def _problems(benchmark: Benchmark, planner: Planner) -> tuple[dict[str, str | None], dict[str, Input]]:
    """Where a benchmark's answers stage finds the problems: a local place is an input, one on the hub is named in its
    spec, at its commit."""
    split = {"split": benchmark.split, "config": benchmark.config}
    place = benchmark.file or str(benchmark.hub)
    if benchmark.file is not None or Path(expand(place)).is_dir():
        return split, {"problems": planner.place(place)}
    return {**split, "hub": place, "revision": commit(place, benchmark.revision, "dataset")}, {}
