"""Objectives broken on purpose, made from the real files: each is caught by the law it breaks, in plain words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from trainers.conformance import Finding, Report, check, load_objective
from trainers.objectives import sft

FOLDER = Path(str(sft.__file__)).parent


@dataclass(frozen=True)
class Broken:
    """A real file with some text replaced, and the law that must notice.

    only: whether no other law may fail; some mistakes break several laws
    """

    what: str
    file: str
    objective: str
    edits: Mapping[str, str]
    law: str
    says: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    only: bool = True


BROKEN = [
    Broken(
        "dft without detach",
        "dft.py",
        "dft",
        {".detach()": ""},
        "gradient",
        "a stop-gradient is missing",
        only=False,
    ),
    Broken(
        "dft without a declared surrogate",
        "dft.py",
        "dft",
        {"    surrogate=_surrogate,\n": ""},
        "gradient",
        "a detach() or no_grad() hides a part of the loss",
    ),
    Broken(
        "dft as a mean",
        "dft.py",
        "dft",
        {"log_p[responses.mask]).sum()": "log_p[responses.mask]).mean()"},
        "sum over items",
        "return sums and the number of items, never a mean",
        only=False,
    ),
    Broken(
        "dft with p from bf16",
        "dft.py",
        "dft",
        {".detach().exp()": ".detach().bfloat16().exp().to(log_p.dtype)"},
        "precision",
        "bfloat16",
        only=False,
    ),
    Broken(
        "sft counting rows in place of tokens",
        "sft.py",
        "sft",
        {"items=responses.mask.sum()": "items=len(responses.mask)"},
        "items",
        "other items than the declared unit 'token'",
    ),
    Broken(
        "sft without its mask",
        "sft.py",
        "sft",
        {"responses.policy[responses.mask].sum()": "responses.policy.sum()"},
        "masked places",
        "in a prompt or padding place reaches the loss",
    ),
    Broken(
        "dpo that sums over padding",
        "dpo.py",
        "dpo",
        {"responses.sequence_log_ratios()": "(responses.policy - responses.reference).sum(dim=1)"},
        "masked places",
        "in a prompt or padding place reaches the loss",
    ),
    Broken(
        "sft that multiplies by its mask",
        "sft.py",
        "sft",
        {"responses.policy[responses.mask].sum()": "(responses.policy * responses.mask).sum()"},
        "masked places",
        "a nan in a prompt or padding place",
    ),
    Broken(
        "sft that divides by the padded length",
        "sft.py",
        "sft",
        {
            "[responses.mask].sum(), items": "[responses.mask].sum() / responses.mask.shape[1], items",
        },
        "padding",
        "how far the rows were padded",
    ),
    Broken(
        "dpo that reads a reference it does not declare",
        "dpo.py",
        "dpo",
        {"needs_reference=True": "needs_reference=False"},
        "declared inputs",
        "registered with needs_reference=False",
        only=False,
    ),
    Broken(
        "sft that reads a reference where it finds one",
        "sft.py",
        "sft",
        {
            "    return Loss(": "    if responses.reference is not None:\n"
            "        return Loss(-responses.log_ratios().sum() ** 3, items=responses.mask.sum())\n    return Loss("
        },
        "declared inputs",
        "reads reference without declaring needs_reference=True",
    ),
    Broken(
        "sft that waits for a reference in vain",
        "sft.py",
        "sft",
        {"needs_reference=False": "needs_reference=True"},
        "declared inputs",
        "changes neither the loss nor its gradient",
    ),
    Broken(
        "sft that listens to scores",
        "sft.py",
        "sft",
        {"-responses.policy[responses.mask].sum()": "-(responses.scores() @ responses.logprobs().sum(dim=1))"},
        "declared inputs",
        "reads score without declaring",
    ),
    Broken(
        "kto with answers rotated within the batch",
        "kto.py",
        "kto",
        {
            "mismatched_log_ratio.detach()": "sequence_log_ratios().roll(1).square().mean().detach()",
        },
        "sum over items",
        "how many micro-batches or devices",
        only=False,
    ),
    Broken(
        "una whose rows depend on their place",
        "una.py",
        "una-score",
        {
            "(implicit - score).square().sum()": "((implicit - score).square() * "
            "(1 + implicit.detach().argsort() * 0 + implicit.new_ones(len(implicit)).cumsum(0))).sum()"
        },
        "row order",
        "where in the batch a row stands",
        only=False,
    ),
    Broken(
        "dpo with an unbounded exponential",
        "dpo.py",
        "dpo",
        {"exponent.clamp(max=EXPONENT_LIMIT)": "exponent", "exponent.detach() > EXPONENT_LIMIT": "exact"},
        "finite",
        "overflows float32",
        {"divergence": "forward_kl"},
        only=False,
    ),
    Broken(
        "dpo with a clamp that nobody counts",
        "dpo.py",
        "dpo",
        {"exponent.detach() > EXPONENT_LIMIT": "exact"},
        "clamps counted",
        "no metric `clamped` counts it",
        {"divergence": "forward_kl"},
    ),
    Broken(
        "una with cross-entropy as log(sigmoid)",
        "una.py",
        "una-binary-bce",
        {"-logsigmoid(signs * reward).sum()": "-(signs * reward).sigmoid().log().sum()"},
        "finite",
        "compute in log space",
        {"beta": 1.0},
        only=False,
    ),
    Broken(
        "kto with its labels exchanged",
        "kto.py",
        "kto",
        {"responses.labels().bool()": "~responses.labels().bool()"},
        "monotone",
        "a step down the gradient makes a dispreferred answer likelier",
    ),
    Broken(
        "sft cut off from the policy",
        "sft.py",
        "sft",
        {"-responses.policy[": "-responses.policy.detach()["},
        "gradient",
        "carries no gradient to the policy",
        only=False,
    ),
]


def _load(broken: Broken, folder: Path) -> Report:
    text = (FOLDER / broken.file).read_text(encoding="utf-8")
    for old, new in broken.edits.items():
        assert old in text, f"{broken.file} no longer has {old!r}"
        text = text.replace(old, new)
    # names of its own for all objectives of the file
    text = text.replace('@objective(\n    "', '@objective(\n    "broken-')
    path = folder / broken.file
    path.write_text(text, encoding="utf-8")
    objective = load_objective(f"{path}:broken-{broken.objective}")
    return check(objective, objective.settings(**broken.settings))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.what.replace(" ", "-"))
def test_a_broken_objective_is_caught_by_the_law_it_breaks(broken: Broken, tmp_path: Path) -> None:
    report = _load(broken, tmp_path)
    failed = {finding.law: finding for finding in report.failed}
    assert broken.law in failed, str(report)
    assert broken.says in failed[broken.law].explanation, str(report)
    assert not report.passed
    if broken.only:
        assert set(failed) == {broken.law}, str(report)


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("dft without detach", lambda n: n["relative gap"] > 0.1),
        (
            "dft as a mean",
            lambda n: n["total in 2 parts"] > 1.5 * n["total at once"],
        ),
        ("dft with p from bf16", lambda n: 1e-4 < n["largest relative rounding"] < 1e-2),
        ("sft that waits for a reference in vain", lambda n: n["loss"] == n["loss with another reference"]),
    ],
)
def test_the_numbers_show_it(what: str, shown: Callable[[Mapping[str, float]], bool], tmp_path: Path) -> None:
    broken = next(each for each in BROKEN if each.what == what)
    found = next(finding for finding in _load(broken, tmp_path).failed if finding.law == broken.law)
    assert shown(found.numbers), found.numbers


def test_a_report_reads_as_text() -> None:
    report = Report(
        "mine", "beta=1", (Finding("padding", "holds", "fine"), Finding("finite", "fails", "inf", {"loss": 2.0}))
    )
    lines = str(report).splitlines()
    assert lines[0] == "mine (beta=1): 1 laws hold, 1 fail"
    assert lines[2:] == ["  fails       finite: inf", "              loss 2"]


def test_monotone_is_optional() -> None:
    report = check(load_objective("dft"))
    assert next(finding for finding in report.findings if finding.law == "monotone").verdict == "holds"
