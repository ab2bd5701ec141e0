"""How often intervals hold the truth and tables find what is not there, over simulated studies of seeds by prompts.

`python -m benchmarks.coverage` prints tables of means, with a bootstrap of seeds and prompts for comparison; of
differences and relative gains in a table of several arms; of tables of equal arms that find a difference after Holm's
correction; and of such tables of claims that find a verdict. Arms differ in their spread over seeds too, in the last
two designs.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.claims.contrast import Difference
from results.claims.estimate import estimate
from results.claims.evidence import Evidence, Metric
from results.claims.verdict import decide, odds
from results.comparison import compare
from results.outcomes import ArmKey, Outcomes, StoredScore
from results.records import Arm
from results.rows import Score
from results.statistics import mean_interval

Matrix = NDArray[np.float64]
Scored = dict[int, StoredScore]  # by seed


class Scales(NamedTuple):
    """Of right-or-wrong answers, in logits: the level, and standard deviations of training seeds, of prompts (what all

    arms find hard), of an arm's own prompts, and of single answers. `uneven`: by how much more, and less, than the
    baseline's the seeds of other arms spread; `last`: by how much more those of the last arm do.
    """

    level: float
    seed: float
    prompt: float
    arm: float
    answer: float
    uneven: float = 1.0
    last: float = 1.0


# In the first, mean squares have the ratios to the residual's that they have in the win rates of the micro study (ten
# arms, three seeds, 200 instructions): of its means about 1.8 for seeds, of its differences 1.5 for seeds and 2 for
# prompts. A mean square of seeds of 1 is no spread; 2 is a spread as large as the sampling of prompts adds.
CASES: dict[str, Scales] = {
    "as in the micro study": Scales(-0.6, 0.2, 6.0, 2.0, 0.3),
    "without a spread over seeds": Scales(-0.6, 0.0, 6.0, 2.0, 0.3),
    "with twice its spread over seeds": Scales(-0.6, 0.4, 6.0, 2.0, 0.3),
    "prompts that are more alike": Scales(0.0, 0.1, 2.0, 0.7, 0.5),
    "a low score": Scales(-4.0, 0.2, 4.0, 1.0, 0.3),
    "a spread over seeds of eight points": Scales(0.0, 0.4, 1.5, 0.5, 0.5),
    "with a spread from half to twice its own": Scales(-0.6, 0.2, 6.0, 2.0, 0.3, 2.0),
    "with one arm of four times its spread": Scales(-0.6, 0.2, 6.0, 2.0, 0.3, last=4.0),
}


@dataclass(frozen=True)
class Design:
    """What a study has."""

    seeds: int
    prompts: int

    def __str__(self) -> str:
        return f"{self.seeds} × {self.prompts}"


def answers(generator: np.random.Generator, logits: Matrix) -> Matrix:
    """Right (100) and wrong (0) answers."""
    return np.asarray(100.0 * (generator.random(logits.shape) < 1 / (1 + np.exp(-logits))))


def spreads(scales: Scales, n_arms: int) -> list[float]:
    """The standard deviation of each arm's seeds, the baseline's first."""
    others = np.geomspace(1 / scales.uneven, scales.uneven, n_arms - 1).tolist() if n_arms > 1 else []
    return [scales.seed * factor for factor in (1.0, *others[:-1], *(scales.last * one for one in others[-1:]))]


def arms(
    generator: np.random.Generator, design: Design, scales: Scales, levels: Sequence[float] = (0.0,)
) -> list[Matrix]:
    """Answers [seeds, prompts] of arms, each so much above the level, to the same prompts."""
    prompts = generator.normal(0, scales.prompt, design.prompts)
    found = []
    for level, spread in zip(levels, spreads(scales, len(levels)), strict=True):
        own = prompts + generator.normal(0, scales.arm, design.prompts)
        seeds = generator.normal(0, spread, (design.seeds, 1))
        noise = generator.normal(0, scales.answer, (design.seeds, design.prompts))
        found.append(answers(generator, scales.level + level + own + seeds + noise))
    return found


def true_mean(scales: Scales, level: float = 0.0, seed: float | None = None) -> float:
    """The mean of an arm so much above the level over all seeds and prompts, by Gauss-Hermite quadrature.

    seed: the standard deviation of its seeds, where it is another than the baseline's
    """
    points, weights = np.polynomial.hermite_e.hermegauss(120)
    width = sqrt(sum(scale**2 for scale in (scales.seed if seed is None else seed, *scales[2:5])))
    return float(100 * (weights / (1 + np.exp(-(scales.level + level + width * points)))).sum() / weights.sum())


def coverage_of_mean(scales: Scales, design: Design, studies: int) -> float:
    """The share of 95% intervals of a mean that hold it."""
    generator, truth = np.random.default_rng(20), true_mean(scales)
    hits = 0
    for _ in range(studies):
        shown = mean_interval(arms(generator, design, scales)[0], bounds=(0, 100))
        hits += shown.low <= truth <= shown.high
    return hits / studies


def coverage_of_bootstrap(scales: Scales, design: Design, studies: int, draws: int = 300) -> float:
    """The same of the percentile bootstrap that draws seeds and prompts anew."""
    generator, truth = np.random.default_rng(20), true_mean(scales)
    hits = 0
    for _ in range(studies):
        values = arms(generator, design, scales)[0]
        seeds = generator.multinomial(design.seeds, np.full(design.seeds, 1 / design.seeds), draws)
        prompts = generator.multinomial(design.prompts, np.full(design.prompts, 1 / design.prompts), draws)
        means = ((seeds @ values) * prompts).sum(axis=1) / values.size
        low, high = np.quantile(means, [0.025, 0.975])
        hits += low <= truth <= high
    return hits / studies


def coverage_of_difference(
    scales: Scales, design: Design, studies: int, n_arms: int = 10, gain: float = 0.5
) -> tuple[float, float, float]:
    """The shares of 95% intervals of a table's differences, and of its relative gains, that hold them.

    The third is that of the differences of the arm whose are held least often: an average hides it.
    """
    generator = np.random.default_rng(21)
    low = true_mean(scales)
    truths = [true_mean(scales, gain, spread) - low for spread in spreads(scales, n_arms + 1)[1:]]
    differences, gains = [0] * n_arms, 0
    for _ in range(studies):
        baseline, *others = map(scores, arms(generator, design, scales, [0.0, *[gain] * n_arms]))
        table = compare(_named(others), baseline, 0.95)
        for place, (one, truth) in enumerate(zip(table.values(), truths, strict=True)):
            differences[place] += one.difference.low <= truth <= one.difference.high
            gains += one.relative is not None and one.relative.low <= truth / low <= one.relative.high
    return sum(differences) / studies / n_arms, gains / studies / n_arms, min(differences) / studies


def false_findings(scales: Scales, design: Design, studies: int, n_arms: int = 10) -> float:
    """The share of tables of arms equal to their baseline in which any is told from it at 5% after Holm."""
    generator = np.random.default_rng(23)
    found = 0
    for _ in range(studies):
        baseline, *others = map(scores, arms(generator, design, scales, [0.0] * (n_arms + 1)))
        table = compare(_named(others), baseline, 0.95)
        found += any(one.p_holm < 0.05 for one in table.values())
    return found / studies


def false_verdicts(scales: Scales, design: Design, studies: int, n_arms: int = 10) -> float:
    """The share of tables of claims, each that one of so many equal arms lies over the next, that decide any."""
    generator = np.random.default_rng(24)
    names = [f"arm-{number}" for number in range(n_arms + 1)]
    metric = Metric("quiz", "right")
    roles = {name: (name,) for name in names} | {"score": (str(metric),)}
    parts = [Difference(kind="difference", metric="score", a=(a,), b=(b,)) for a, b in pairwise(names)]
    found = 0
    for _ in range(studies):
        made = dict(zip(names, map(scores, arms(generator, design, scales, [0.0] * len(names))), strict=True))
        own = {name: [_arm(name, seed) for seed in by_seed] for name, by_seed in made.items()}
        evidence = Evidence(own, {(name, metric): by_seed for name, by_seed in made.items()}, roles)
        decided = decide([odds(estimate(part, evidence, "percent"), part.rule) for part in parts])
        found += any(one.verdict != "inconclusive" for one in decided)
    return found / studies


def scores(values: Matrix) -> dict[int, StoredScore]:
    """What a store would hold of answers [seeds, prompts]."""
    items = tuple(f"{number:06}" for number in range(values.shape[1]))
    return {seed: _score(seed, Outcomes(items, row)) for seed, row in enumerate(values)}


def _named(found: Sequence[Scored]) -> dict[str, Scored]:
    return {f"arm-{number:04}": one for number, one in enumerate(found)}


def _score(seed: int, values: Outcomes) -> StoredScore:
    score = Score(
        suite="quiz",
        metric="right",
        value=float(values.column.mean()),
        n_expected=len(values),
        n_scored=len(values),
        detail={"unit": "percent", "aggregate": "mean"},
    )
    return StoredScore(ArmKey("", seed), "", score, values)


def _arm(name: str, seed: int) -> Arm:
    return Arm(profile="", name=name, method=name, seed=seed, status="ok")


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulates and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--prompts", type=int, nargs="+", default=[200, 800])
    parser.add_argument("--arms", type=int, default=10, help="beside the baseline of a table")
    asked = parser.parse_args(arguments)
    designs = [Design(seeds, prompts) for seeds in asked.seeds for prompts in asked.prompts]
    few, many = max(1, asked.studies // 4), 10 * asked.studies
    print(f"{many} studies of a mean, {few} of the bootstrap and of claims, {asked.studies} of other tables")
    known = [f"±{1.96 * sqrt(0.95 * 0.05 / count):.1%}" for count in (many, few, asked.studies)]
    print(f"A share of 95% is known to {', '.join(known)}, and better where it is of several arms.\n")
    _table("95% intervals that hold the mean", designs, lambda s, d: [coverage_of_mean(s, d, many)])
    _table("the same of a bootstrap", designs, lambda s, d: [coverage_of_bootstrap(s, d, few)])
    heading = (
        f"95% intervals of {asked.arms} arms that hold the difference, the relative gain, the worst arm's difference"
    )
    _table(heading, designs, lambda s, d: coverage_of_difference(s, d, asked.studies, asked.arms))
    heading = f"tables of {asked.arms} arms equal to the baseline that tell any from it"
    _table(heading, designs, lambda s, d: [false_findings(s, d, asked.studies, asked.arms)])
    heading = f"tables of {asked.arms} claims about equal arms that decide any"
    _table(heading, designs, lambda s, d: [false_verdicts(s, d, few, asked.arms)])


def _table(heading: str, designs: Sequence[Design], simulate: Callable[[Scales, Design], Sequence[float]]) -> None:
    print(f"| {heading} | {' | '.join(map(str, designs))} |\n| --- |{' ---: |' * len(designs)}")
    for name, scales in CASES.items():
        shares = [", ".join(f"{share:.1%}" for share in simulate(scales, design)) for design in designs]
        print(f"| {name} | {' | '.join(shares)} |", flush=True)
    print()


if __name__ == "__main__":
    main()
