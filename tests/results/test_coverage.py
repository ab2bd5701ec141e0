"""Whether intervals hold the truth as often as they promise, over simulated studies of seeds by prompts."""

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from results.statistics import mean_interval, minimum_detectable_difference, paired_difference

Matrix = NDArray[np.float64]
Scales = tuple[float, float, float, float]


def answers(generator: np.random.Generator, logits: Matrix) -> Matrix:
    """Right (100) and wrong (0) answers."""
    return np.asarray(100.0 * (generator.random(logits.shape) < 1 / (1 + np.exp(-logits))))


def binary_study(generator: np.random.Generator, seeds: int, items: int, scales: Scales) -> Matrix:
    """Answers [seeds, items] from logits of a level, and of seeds, items and their interaction."""
    level, of_seed, of_item, of_both = scales
    of_seeds = generator.normal(0, of_seed, (seeds, 1))
    of_items = generator.normal(0, of_item, (1, items))
    return answers(generator, level + of_seeds + of_items + generator.normal(0, of_both, (seeds, items)))


def true_mean(scales: Scales) -> float:
    """The mean over all seeds and items, by Gauss-Hermite quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(120)
    width = sqrt(sum(scale**2 for scale in scales[1:]))
    return float(100 * (weights / (1 + np.exp(-(scales[0] + width * points)))).sum() / weights.sum())


STUDIES = 6000

# Level, and standard deviations of seeds, items and their interaction, in logits. A seed spread of 0.6 is 13 points.
DESIGNS: dict[str, Scales] = {
    "no seed spread": (0.0, 0.0, 1.0, 0.5),
    "small seed spread": (0.0, 0.1, 2.0, 0.5),
    "seed spread as large as that of items": (0.0, 0.2, 2.0, 0.5),
    "seed spread twice that of items": (0.0, 0.4, 2.0, 0.5),
    "seed spread three times that of items": (0.0, 0.6, 2.0, 0.5),
    "low score": (-2.0, 0.2, 2.0, 0.5),
    "very low score": (-3.5, 0.1, 2.0, 0.5),
    "high score, hard against easy": (2.0, 0.3, 4.0, 0.0),
    "items alike": (0.0, 0.1, 0.0, 0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_coverage_of_the_mean(name: str) -> None:
    generator = np.random.default_rng(20)
    scales = DESIGNS[name]
    truth = true_mean(scales)
    shown = [mean_interval(binary_study(generator, 3, 200, scales), bounds=(0, 100)) for _ in range(STUDIES)]
    covered = float(np.mean([one.low <= truth <= one.high for one in shown]))
    width = np.mean([one.high - one.low for one in shown])
    print(f"{name}: {covered:.1%} of 95% intervals hold the truth, mean width {width:.1f} points")
    assert 0.92 <= covered <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("of_seed", "most"), [(0.0, 0.99), (0.15, 0.98), (0.4, 0.98)])
def test_coverage_of_a_difference(of_seed: float, most: float) -> None:
    # Where neither seeds nor items differ, the floored variance is too large: the interval is wider than it need be.
    generator = np.random.default_rng(21)
    hits = 0
    spread = sqrt(of_seed**2 + 1.5**2)
    truth = true_mean((0.3, spread, 0.0, 0.0)) - true_mean((0.0, spread, 0.0, 0.0))
    for _ in range(STUDIES):
        shared = generator.normal(0, 1.5, 200)
        a, b = (
            dict(enumerate(answers(generator, level + generator.normal(0, of_seed, (3, 1)) + shared)))
            for level in (0.3, 0.0)
        )
        shown = paired_difference(a, b, bounds=(0, 100))
        hits += shown.low <= truth <= shown.high
    print(f"seed spread {of_seed}: {hits / STUDIES:.1%} of 95% intervals of a difference hold the truth")
    assert 0.92 <= hits / STUDIES <= most


@pytest.mark.slow
def test_the_minimum_detectable_difference_is_detected_as_often_as_said() -> None:
    generator = np.random.default_rng(22)

    def study(shift: float, seeds: int, items: int) -> Matrix:
        noise = generator.normal(0, 40, (seeds, items))
        return shift + generator.normal(0, 2, (seeds, 1)) + generator.normal(0, 20, (1, items)) + noise

    needed = minimum_detectable_difference(study(0.0, 40, 4000), n_seeds=4, n_items=200)
    found = np.mean([mean_interval(study(needed, 4, 200)).p_value < 0.05 for _ in range(2000)])
    print(f"a difference of {needed:.2f} was found in {found:.1%} of studies; 80% were promised")
    assert 0.72 <= found <= 0.88
