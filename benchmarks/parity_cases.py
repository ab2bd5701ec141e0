"""The batch on which our objectives are held against a peer's, and which loss of the peer each should equal."""

from dataclasses import dataclass
from typing import Any

from trainers.mismatch import mismatched_rows

BETA = 0.3
VOCABULARY = 29
PROMPTS = ((3, 4, 5), (6, 7), (8, 9, 10, 11), (12, 13, 14))
CHOSEN = ((15, 16, 1), (17, 18, 1), (19, 20, 1), (21, 22, 1))
REJECTED = ((23, 1), (24, 25, 26, 1), (27, 1), (28, 15, 16, 17, 1))
LABELS = (True, False, False, True)


@dataclass(frozen=True)
class Case:
    """An objective with settings, and the peer's loss that should equal `factor` times it.

    kind: which trainer of TRL, with which options
    note: why a factor or a special batch is needed
    """

    objective: str
    settings: dict[str, Any]
    kind: str
    options: dict[str, Any]
    factor: float = 1.0
    note: str = ""
    has_float64: bool = True


_DPO = {"loss_type": ["sigmoid"], "beta": BETA}
CASES = (
    Case("sft", {}, "sft", {"loss_type": "nll"}),
    Case("dft", {}, "sft", {"loss_type": "dft"}),
    Case("dpo", {"beta": BETA}, "dpo", _DPO),
    Case("una-pair", {"beta": BETA}, "dpo", _DPO),
    Case("dpo", {"beta": BETA, "divergence": "forward_kl"}, "dpo", {**_DPO, "f_divergence_type": "forward_kl"}),
    Case("dpo", {"beta": BETA, "divergence": "jensen_shannon"}, "dpo", {**_DPO, "f_divergence_type": "js_divergence"}),
    Case(
        "dpo",
        {"beta": BETA, "divergence": "alpha", "alpha": 0.3},
        "dpo",
        {**_DPO, "f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.3},
        note="TRL computes this exponential in float32 and refuses float64",
        has_float64=False,
    ),
    Case(
        "kto",
        {"beta": BETA, "desirable_weight": 1.3, "undesirable_weight": 0.7},
        "kto",
        {"loss_type": "kto", "beta": BETA, "desirable_weight": 1.3, "undesirable_weight": 0.7},
        note="mismatched answers as fixed data; TRL's own preparation rotates them within the batch",
    ),
    Case(
        "una-binary-bce",
        {"beta": BETA},
        "dpo",
        {"loss_type": ["bco_pair"], "beta": BETA},
        factor=2.0,
        note="TRL counts two answers as one item",
    ),
    Case(
        "sft+dpo",
        {"beta": BETA, "sft_weight": 0.7},
        "dpo",
        {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.7], "beta": BETA},
        note="TRL takes the token mean over the batch, we over each answer: equal for answers of one length",
    ),
)


Row = tuple[tuple[int, ...], tuple[int, ...]]


def prompts_and_answers(case: Case) -> tuple[list[Row], list[float]]:
    """Prompts with answers, and the answers' scores, as the case's trainer sees them."""
    if case.kind == "dpo":
        pairs = zip(PROMPTS, CHOSEN, REJECTED, strict=True)
        return [(prompt, answer) for prompt, *both in pairs for answer in both], [1.0, 0.0] * len(PROMPTS)
    answers = REJECTED if case.kind == "sft" else CHOSEN
    return list(zip(PROMPTS, answers, strict=True)), [float(liked) for liked in LABELS]


def mismatched_answers() -> list[tuple[int, ...]]:
    """For each prompt of KTO's batch an answer to another; with this seed their mean log-ratio is positive."""
    return [CHOSEN[row] for row in mismatched_rows(PROMPTS, seed=4)]
