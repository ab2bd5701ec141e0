"""The claims as they stand: all of them, each with a rule that its paper's own numbers pass."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from results.claims.catalogue import FOLDER, catalogue, check_roles, lacking, metrics_of, read_catalogue
from results.claims.contrast import Correlation, Rule, arm_roles, metric_roles
from results.errors import UserError
from results.reported import reported

ALL = [
    f"{paper}{number}" for paper, count in (("A", 5), ("B", 10), ("C", 8), ("D", 4)) for number in range(1, count + 1)
]


def passes(value: float, rule: Rule) -> bool:
    return abs(value) < rule.within if rule.within is not None else rule.above < value and rule.least <= value


def test_all_claims_are_there_in_their_order() -> None:
    assert [claim.id for claim in catalogue().claims] == ALL


def test_the_papers_own_numbers_pass_the_rule_unless_they_are_marked() -> None:
    effects = [
        (claim.id, effect, passes(effect.value, part.rule))
        for claim in catalogue().claims
        for part in claim.tests
        for effect in catalogue().effects(claim, part)
    ]
    assert len(effects) == 79
    assert [(claim, one.label) for claim, one, passed in effects if not passed] == [("B9", "Qwen2.5-Math-7B")]
    assert all(one.against != passed for _, one, passed in effects)


def test_the_least_effect_is_a_point_or_half_of_what_the_paper_saw() -> None:
    """The principle that fixed every `below` of a percentage before anything ran."""
    seen = 0
    for claim in catalogue().claims:
        for part in claim.tests:
            if isinstance(part, Correlation) or catalogue().roles.metrics[part.metric].unit != "percent":
                continue
            effects = [abs(one.value) for one in catalogue().effects(claim, part) if not one.against]
            if part.rule.within is None and part.rule.above == 0:
                seen += 1
                assert 0 < part.rule.least <= min([1.0, *(effect / 2 for effect in effects)]), claim.id
    assert seen > 50


def test_printed_numbers_of_some_claims() -> None:
    by_id = {claim.id: claim for claim in catalogue().claims}

    def effects(claim: str, part: int) -> list[tuple[str, float]]:
        test = by_id[claim].tests[part]
        return [(one.label, round(one.value, 3)) for one in catalogue().effects(by_id[claim], test)]

    assert effects("B1", 0)[0] == ("Qwen2.5-Math-1.5B", 13.57)
    assert effects("C6", 0) == [("Mistral-7B, a step", 0.962)]
    assert effects("D1", 0) == [("Mistral-7B", 2.015)]  # 30.92 − (28.88 + 28.93) / 2
    assert effects("C7", 1) == [("Mistral-7B", 2.89)]
    (first,) = catalogue().effects(by_id["A1"], by_id["A1"].tests[0])
    assert (first.value, first.relative) == (6, 0.25)


def test_a_rule_that_changes_changes_the_digest() -> None:
    claim = catalogue().claims[0]
    part = claim.parts[0].model_copy(update={"rule": Rule(below=2)})
    assert claim.model_copy(update={"parts": (part,)}).digest != claim.digest
    assert claim.model_copy().digest == claim.digest


def test_every_role_and_scale_is_used() -> None:
    tests = [part for claim in catalogue().claims for part in claim.tests]
    roles = catalogue().roles
    assert {role for part in tests for role in arm_roles(part)} == set(roles.arms)
    assert {role for part in tests for role in metric_roles(part)} == set(roles.metrics)
    assert {claim.scale.name for claim in catalogue().claims if claim.scale} == set(roles.scales)


def test_a_claim_of_another_scale_says_what_it_asks_for() -> None:
    by_id = {claim.id: claim for claim in catalogue().claims}
    whole = dict.fromkeys([*catalogue().roles.arms, *catalogue().roles.metrics], "x")
    assert lacking(by_id["C8"], whole).startswith("asks for base-of-32b: ")
    assert lacking(by_id["C8"], {**whole, "scale": ["online", "base-of-32b"]}) == ""
    assert lacking(by_id["C8"], {"scale": "base-of-32b"}).startswith("no uft-mixed and no ")
    assert lacking(by_id["A1"], whole) == ""
    scaled = {claim.id for claim in catalogue().claims if claim.scale}
    assert scaled == {"B3", "B8", "C8", "D3", "D4"}


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"stf": "sft"}, "no claim has a role 'stf'"),
        ({"sft": "dpo"}, "sft: there is no method 'dpo'; there are base, sft"),
        ({"uft-greater-beta": ["sft", "x"]}, "uft-greater-beta: there is no method 'x'"),
        ({"old-board": "micro_old"}, "old-board: 'micro_old': a metric is wanted, as suite/metric"),
        ({"scale": "huge"}, "scale: there is no scale 'huge'"),
    ],
)
def test_a_map_of_roles_that_does_not_fit_is_refused(roles: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_roles(roles, ["sft"])


def test_a_map_of_roles_that_fits() -> None:
    roles = {"sft": "sft", "base": "base", "old-board": ("x/average", "y/acc"), "scale": ("online",)}
    check_roles(roles, ["sft"])
    assert metrics_of(roles) == [("old-board", "x/average"), ("old-board", "y/acc")]


def edited(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), "utf-8")

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edited("claims_una.yaml", "id: D4", "id: D3"), "claim D3 stands twice"),
        (edited("claims_una.yaml", "metric: new-board", "metric: newboard"), "claim D1: there is no metric 'newboard'"),
        (edited("claims_una.yaml", "[[una-score]", "[[una-scores]"), "claim D1: there is no arm 'una-scores'"),
        (edited("claims_una.yaml", "method: UNA-score (MSE)", "method: UNA"), "claim D1: 0 reported numbers, and not"),
        (edited("claims_una.yaml", "{name: online", "{name: offline"), "claim D3: scale: there is no 'offline'"),
        (edited("claims_una.yaml", "kind: order", "kind: orders"), "claims_una.yaml: claim D1: parts.0: "),
        (edited("claims_una.yaml", "rule: {below: 0.01}", "rule: {under: 0.01}"), "claim D1: parts.0.order.rule.under"),
        (edited("claims_una.yaml", "paper: una", "paper: [una"), "claims_una.yaml: "),
        (edited("roles.yaml", "metrics:\n", "metrics:\n  base: {unit: x, about: y}\n"), "roles.yaml: "),
    ],
)
def test_a_claim_that_does_not_fit_is_named(tmp_path: Path, edit: Callable[[Path], None], message: str) -> None:
    folder = tmp_path / "claims"
    copytree(FOLDER, folder)
    edit(folder)
    with pytest.raises(UserError) as found:
        read_catalogue(folder, reported())
    assert message in str(found.value)
