"""How often intervals hold the truth and tables find what is not there, over simulated studies of seeds by prompts.

`python -m benchmarks.coverage` prints three tables: of means, with a bootstrap of seeds and prompts for comparison; of
differences and relative gains; and of false findings after Holm's correction.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.statistics import holm, mean_interval, p_value, paired_difference, ratio_of_means
from results.variance import pooled_seed_square

Matrix = NDArray[np.float64]


class Scales(NamedTuple):
    """Of right-or-wrong answers, in logits: the level, and standard deviations of training seeds, of prompts (what all

    arms find hard), of an arm's own prompts, and of single answers.
    """

    level: float
    seed: float
    prompt: float
    arm: float
    answer: float


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


def arms(
    generator: np.random.Generator, design: Design, scales: Scales, levels: Sequence[float] = (0.0,)
) -> list[dict[int, Matrix]]:
    """Rows by seed of arms, each so much above the level, on the same prompts."""
    prompts = generator.normal(0, scales.prompt, design.prompts)
    found = []
    for level in levels:
        own = prompts + generator.normal(0, scales.arm, design.prompts)
        seeds = generator.normal(0, scales.seed, (design.seeds, 1))
        noise = generator.normal(0, scales.answer, (design.seeds, design.prompts))
        found.append(dict(enumerate(answers(generator, scales.level + level + own + seeds + noise))))
    return found


def true_mean(scales: Scales, level: float = 0.0) -> float:
    """The mean of an arm so much above the level over all seeds and prompts, by Gauss-Hermite quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(120)
    width = sqrt(sum(scale**2 for scale in scales[1:]))
    return float(100 * (weights / (1 + np.exp(-(scales.level + level + width * points)))).sum() / weights.sum())


def coverage_of_mean(scales: Scales, design: Design, studies: int) -> float:
    """The share of 95% intervals of a mean that hold it."""
    generator, truth = np.random.default_rng(20), true_mean(scales)
    hits = 0
    for _ in range(studies):
        shown = mean_interval(_matrix(arms(generator, design, scales)[0]), bounds=(0, 100))
        hits += shown.low <= truth <= shown.high
    return hits / studies


def coverage_of_bootstrap(scales: Scales, design: Design, studies: int, draws: int = 300) -> float:
    """The same of the percentile bootstrap that draws seeds and prompts anew."""
    generator, truth = np.random.default_rng(20), true_mean(scales)
    hits = 0
    for _ in range(studies):
        values = _matrix(arms(generator, design, scales)[0])
        seeds = generator.multinomial(design.seeds, np.full(design.seeds, 1 / design.seeds), draws)
        prompts = generator.multinomial(design.prompts, np.full(design.prompts, 1 / design.prompts), draws)
        means = ((seeds @ values) * prompts).sum(axis=1) / values.size
        low, high = np.quantile(means, [0.025, 0.975])
        hits += low <= truth <= high
    return hits / studies


def coverage_of_difference(scales: Scales, design: Design, studies: int, gain: float = 0.5) -> tuple[float, float]:
    """The shares of 95% intervals of a difference, and of a relative gain, that hold it."""
    generator = np.random.default_rng(21)
    high, low = true_mean(scales, gain), true_mean(scales)
    differences = gains = 0
    for _ in range(studies):
        a, b = arms(generator, design, scales, (gain, 0.0))
        shown = paired_difference(a, b, bounds=(0, 100))
        differences += shown.low <= high - low <= shown.high
        ratio = ratio_of_means(_matrix(a) - _matrix(b), _matrix(b))
        gains += ratio is not None and ratio.low <= (high - low) / low <= ratio.high
    return differences / studies, gains / studies


def false_findings(scales: Scales, design: Design, studies: int, n_arms: int = 10) -> float:
    """The share of tables of arms equal to their baseline in which any is told from it at 5% after Holm."""
    generator = np.random.default_rng(23)
    found = 0
    for _ in range(studies):
        baseline, *others = map(_matrix, arms(generator, design, scales, [0.0] * (n_arms + 1)))
        of_all = pooled_seed_square([baseline, *others])
        p_values = [p_value(other - baseline, of_all) for other in others]
        found += min(holm(p_values)) < 0.05
    return found / studies


def _matrix(rows: dict[int, Matrix]) -> Matrix:
    return np.stack([rows[seed] for seed in sorted(rows)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulates and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--prompts", type=int, nargs="+", default=[200, 800])
    parser.add_argument("--arms", type=int, default=10, help="beside the baseline of a table")
    asked = parser.parse_args(arguments)
    designs = [Design(seeds, prompts) for seeds in asked.seeds for prompts in asked.prompts]
    print(f"{asked.studies} studies each: a share of 95% is known to ±{1.96 * sqrt(0.95 * 0.05 / asked.studies):.1%}\n")
    few = max(1, asked.studies // 4)
    _table("95% intervals that hold the mean", designs, lambda s, d: [coverage_of_mean(s, d, asked.studies)])
    _table("the same of a bootstrap", designs, lambda s, d: [coverage_of_bootstrap(s, d, few)])
    heading = "95% intervals that hold the difference, the relative gain"
    _table(heading, designs, lambda s, d: coverage_of_difference(s, d, asked.studies))
    heading = f"tables of {asked.arms} arms equal to the baseline that tell any from it"
    _table(heading, designs, lambda s, d: [false_findings(s, d, few, asked.arms)])


def _table(heading: str, designs: Sequence[Design], simulate: Callable[[Scales, Design], Sequence[float]]) -> None:
    print(f"| {heading} | {' | '.join(map(str, designs))} |\n| --- |{' ---: |' * len(designs)}")
    for name, scales in CASES.items():
        shares = [", ".join(f"{share:.1%}" for share in simulate(scales, design)) for design in designs]
        print(f"| {name} | {' | '.join(shares)} |", flush=True)
    print()


if __name__ == "__main__":
    main()
