"""f-divergences as they enter imitation: phi(u) = -f*(-u), a concave, rising function of a token's implicit reward.

Derived with the inverse soft-Q duality (Garg et al. 2021, arXiv 2106.12142); the derivatives agree with its code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from torch import Tensor

DivergenceName = Literal["total_variation", "pearson_chi2", "squared_hellinger", "jensen_shannon", "kl", "reverse_kl"]


@dataclass(frozen=True)
class Divergence:
    """One f-divergence D_f(pi || expert) = sum over y of expert f(pi / expert).

    phi:     the function itself, evaluated only where phi' <= the cap and u <= ceiling
    steepest: the u at which phi' equals a given cap; phi' falls, so it is larger below
    ceiling: where phi reaches its top and stays there
    generator, formula, slope, domain: f, phi, phi' and the domain of phi, in writing
    """

    phi: "Callable[[Tensor], Tensor]"
    steepest: Callable[[float], float]
    generator: str
    formula: str
    slope: str
    domain: str
    ceiling: float = inf


class Phi(NamedTuple):
    """phi(u) with its slope capped, and where the cap or the ceiling took the formula's place; of the shape of u."""

    value: "Tensor"
    clamped: "Tensor"


DIVERGENCES: dict[DivergenceName, Divergence] = {
    "total_variation": Divergence(
        phi=lambda u: u,
        steepest=lambda cap: -inf,
        generator="|t − 1| / 2",
        formula="u",
        slope="1",
        domain="|u| ≤ 1/2, bound dropped",
    ),
    "pearson_chi2": Divergence(
        phi=lambda u: u - u.square() / 4,
        steepest=lambda cap: 2 - 2 * cap,
        generator="(t − 1)²",
        formula="u − u²/4, 1 from u = 2 on",
        slope="1 − u/2, 0 from u = 2 on",
        domain="all u",
        ceiling=2.0,
    ),
    "squared_hellinger": Divergence(
        phi=lambda u: u / (1 + u),
        steepest=lambda cap: cap**-0.5 - 1,
        generator="(√t − 1)²",
        formula="u / (1 + u)",
        slope="1 / (1 + u)²",
        domain="u > −1",
    ),
    "jensen_shannon": Divergence(
        phi=lambda u: (-(-u).expm1()).log1p(),
        steepest=lambda cap: log((1 + cap) / (2 * cap)),
        generator="t log t − (t + 1) log((t + 1) / 2)",
        formula="log(2 − e^(−u))",
        slope="e^(−u) / (2 − e^(−u))",
        domain="u > −log 2",
    ),
    "kl": Divergence(
        phi=lambda u: -(-u - 1).exp(),
        steepest=lambda cap: -1 - log(cap),
        generator="t log t",
        formula="−e^(−u−1)",
        slope="e^(−u−1)",
        domain="all u",
    ),
    "reverse_kl": Divergence(
        phi=lambda u: 1 + u.log(),
        steepest=lambda cap: 1 / cap,
        generator="−log t",
        formula="1 + log u",
        slope="1 / u",
        domain="u > 0; the reference, u = 0, lies outside",
    ),
}
assert tuple(DIVERGENCES) == get_args(DivergenceName)


def capped_phi(name: DivergenceName, u: "Tensor", max_slope: float) -> Phi:
    """phi(u), continued as a straight line of slope `max_slope` where phi' would be steeper or phi is not defined.

    phi' is the weight of a token's log-likelihood gradient: the cap bounds what one token can weigh, keeps pulling up
    tokens that fell far below the reference (a clamp would let them go), and leaves phi concave and rising.
    """
    divergence = DIVERGENCES[name]
    floor = divergence.steepest(max_slope)
    above = u.clamp(min=floor)
    value = divergence.phi(above.clamp(max=divergence.ceiling)) + max_slope * (u - above)
    return Phi(value, (u.detach() < floor) | (u.detach() > divergence.ceiling))
