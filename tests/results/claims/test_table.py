"""A study's verdicts from its store: numbers from the items, the papers' beside them, reasons for what was not run."""

import csv as csv_format
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from results.claims.catalogue import catalogue
from results.claims.recording import claim_records, csv, record_table, verdict_records
from results.claims.table import ClaimResult, ClaimTable, claim_table
from results.claims.tables import catalogue_markdown, catalogue_terminal, markdown, roles_terminal, terminal
from results.claims.verdict import Odds
from results.claims.wording import reported_text
from results.digest import Json
from results.errors import UserError
from results.store import Store
from tests.results.study import PROFILE, arm, mean_score, record

ROLES: dict[str, Json] = {
    "sft": "sft",
    "sft-high": "sft-high",
    "dft": "dft",
    "dpo-after-sft": "sft+dpo",
    "uft-mixed": "uft",
    "accuracy": "quiz/accuracy",
    "old-board": "old/average",
    "length": "quiz/length",
}
LEVELS = {"base": 10.0, "sft": 40.0, "sft-high": 10.0, "dft": 95.0, "sft+dpo": 90.0, "uft": 10.0}


def fill(store: Store, renamed: Mapping[str, str] | None = None) -> None:
    """Six arms over three seeds (the base: one) with right-or-wrong answers, a board and lengths."""
    generator = np.random.default_rng(0)
    for name, level in LEVELS.items():
        shown = (renamed or {}).get(name, name)
        for seed in range(1 if name == "base" else 3):
            own = arm(shown, seed, comparisons=[] if name == "base" else ["all"], responses=10 * (name != "base"))
            right = 100.0 * generator.permuted(np.arange(200) < 2 * level)
            record(store, own, *mean_score(list(right)))
            record(store, own, *mean_score(list(right[::-1]), suite="old", metric="average"))
            length = generator.normal(100 if name == "uft" else 300, 20, 50)
            record(store, own, *mean_score(list(length), metric="length", unit="characters"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store.open(tmp_path / "store.db")
    fill(opened)
    opened.record_profile(PROFILE.model_copy(update={"spec": {"claims": ROLES}}))
    return opened


def result(table: ClaimTable, claim: str) -> ClaimResult:
    return next(one for one in table.results if one.claim.id == claim)


def test_claims_that_the_study_can_test_have_verdicts(store: Store) -> None:
    table = claim_table(store, "small")
    verdicts = {one.claim.id: one.verdict for one in table.run}
    assert verdicts == {
        "B1": "reproduced",
        "C2": "contradicted",  # of ten parts one was run, and found to be a loss
        "C4": "inconclusive",  # the preference stages that the study lacks might not be longer
        "C7": "inconclusive",
    }
    board = result(table, "C7").parts[0]
    assert (board.label, board.verdict) == ("sft − sft-high: old/average", "reproduced")
    assert board.estimate is not None
    assert (board.estimate.effect.n_seeds, board.estimate.effect.n_items) == (3, 200)
    longer = result(table, "C4").parts[0]
    assert (longer.label, longer.verdict) == ("sft+dpo − 2 × uft: quiz/length", "reproduced")


def test_what_was_not_run_says_what_is_missing(store: Store) -> None:
    table = claim_table(store, "small")
    reasons = {one.claim.id: one.reason for one in table.results if one.verdict == "not run"}
    assert len(reasons) + len(table.run) == len(catalogue().claims) == 27
    assert reasons["A1"] == "nothing plays dpo-after-sft-low"
    assert reasons["C8"].startswith("asks for base-of-32b: ")
    assert "not run 2: nothing plays new-board" in result(table, "C7").reason


def test_a_changed_item_changes_the_verdict_and_a_missing_one_ends_it(store: Store) -> None:
    def verdict() -> ClaimResult:
        return result(claim_table(store, "small", roles=ROLES), "B1")

    assert verdict().verdict == "reproduced"
    for seed in range(3):
        record(store, arm("dft", seed, comparisons=["all"], responses=10), *mean_score([0.0] * 200))
    assert (verdict().verdict, verdict().parts[0].verdict) == ("contradicted", "contradicted")
    values: list[float | None] = [0.0] * 199
    record(store, arm("dft", 1, comparisons=["all"], responses=10), *mean_score([*values, None]))
    assert (verdict().verdict, verdict().reason) == ("not run", "dft: quiz/accuracy: incomplete 599/600")


def test_an_arm_that_diverged_has_no_verdict(store: Store) -> None:
    store.record_arm(arm("dft", 3, "diverged", "loss is NaN at step 17", comparisons=["all"]))
    assert result(claim_table(store, "small"), "B1").reason == "dft: quiz/accuracy: diverged 1/4 seeds"


def test_a_study_without_a_map_of_roles_is_told_so(store: Store) -> None:
    store.record_profile(PROFILE)
    with pytest.raises(UserError, match="small has no 'claims'"):
        claim_table(store, "small")
    assert claim_table(store, "small", roles=ROLES).run
    with pytest.raises(UserError, match="no profile 'large'"):
        claim_table(store, "large")


def test_markdown_shows_effect_interval_size_and_the_papers_numbers(store: Store) -> None:
    text = markdown(claim_table(store, "small"))
    lines = {line.split(" | ")[1]: line for line in text.splitlines() if line.startswith("|")}
    dft = lines["dft − sft: quiz/accuracy"]
    found = result(claim_table(store, "small"), "B1").parts[0].estimate
    assert found is not None
    assert f"+{found.effect.mean:.1f} [{found.effect.low:.1f}, {found.effect.high:.1f}] points" in dft
    assert "| 3 × 200 |" in dft
    assert "+13.57 (+75%) Qwen2.5-Math-1.5B; +13.53 (+57%) Qwen2.5-Math-7B" in dft
    assert "- A1: A lower learning rate in SFT gives a better model after DPO. Not run: nothing plays" in text
    assert "B1, in the paper: The printed ratio of DFT's gain" in text
    assert markdown(claim_table(store, "small")) == text


def test_the_terminal_shows_every_claim(store: Store) -> None:
    text = terminal(claim_table(store, "small"), 200)
    assert all(f"{claim.id}" in text for claim in catalogue().claims)
    assert "reproduced" in text and "contradicted" in text


def test_names_of_arms_are_text_and_no_markup(tmp_path: Path) -> None:
    hostile = "<b>|`x`\u202e"
    with Store.open(tmp_path / "store.db") as store:
        fill(store, {"dft": hostile})
        table = claim_table(store, "small", roles={**ROLES, "dft": hostile})
        text = markdown(table)
        shown = terminal(table, 200)
    assert "<b>" not in text
    assert "&lt;b&gt;\\|\\`x\\`\N{REPLACEMENT CHARACTER} − sft: quiz/accuracy" in text
    assert "\u202e" not in shown + text


def test_records_go_through_the_store(store: Store) -> None:
    table = claim_table(store, "small")
    record_table(store, table)
    record_table(store, table)
    assert sorted(store.claims(), key=lambda one: one.id) == sorted(claim_records(), key=lambda one: one.id)
    stored = {(one.claim, one.part): one for one in store.verdicts(PROFILE.digest)}
    assert stored == {(one.claim, one.part): one for one in verdict_records(table)}
    whole, first = stored["B1", 0], stored["B1", 1]
    assert (whole.verdict, whole.effect, first.verdict) == ("reproduced", None, "reproduced")
    assert first.reported == pytest.approx(13.57)
    assert (first.effect or 0) > 0 and first.p_holm is None and whole.p_holm is not None
    assert {one.claim for one in stored.values() if one.verdict == "not run" and one.part == 0} == {
        one.claim.id for one in table.results if one.verdict == "not run"
    }


def test_a_part_is_recorded_with_the_p_value_of_its_verdict(store: Store) -> None:
    table = claim_table(store, "small")
    shown = result(table, "B1")
    part = replace(shown.parts[0], verdict="contradicted", odds=Odds(1e-6, 0.01))
    changed = replace(table, results=(replace(shown, parts=(part, *shown.parts[1:])),))
    assert [one.p_value for one in verdict_records(changed) if one.part == 1] == [0.01]


def test_a_claim_that_is_not_decided_says_what_could_have_been_seen(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    with Store.open(tmp_path / "store.db") as store:
        for name in ("base", "sft", "dft"):
            for seed in range(3):
                record(store, arm(name, seed), *mean_score(list(100.0 * (generator.random(80) < 0.5))))
        store.record_profile(PROFILE.model_copy(update={"spec": {"claims": ROLES}}))
        table = claim_table(store, "small")
    part = result(table, "B1").parts[0]
    assert part.verdict == "inconclusive"
    assert part.estimate is not None and part.detectable is not None
    effect = part.estimate.effect
    quantiles = stats.t(effect.degrees_of_freedom).ppf([0.975, 0.8])
    assert part.detectable == pytest.approx(quantiles.sum() * effect.standard_error)
    told = f"{part.detectable:.1f} from there would show with a probability of 80%"
    assert part.reason.endswith(told)


def test_verdicts_as_csv(store: Store) -> None:
    table = claim_table(store, "small")
    lines = list(csv_format.DictReader(StringIO(csv(table))))
    assert {line["claim"] for line in lines} == {claim.id for claim in catalogue().claims}
    by_part = {(line["claim"], line["part"]): line for line in lines}
    records = {(one.claim, str(one.part)): one for one in verdict_records(table)}
    assert by_part.keys() == records.keys()
    for place, line in by_part.items():
        one = records[place]
        assert line["verdict"] == one.verdict
        for name in ("effect", "low", "high", "relative", "p_value", "p_holm", "reported"):
            value = getattr(one, name)
            assert line[name] == ("" if value is None else repr(value)), (place, name)
    board = by_part["C7", "1"]
    part = result(table, "C7").parts[0]
    assert float(board["minimum_detectable_effect"]) == part.detectable
    assert board["reported_all"] == f"'{reported_text(part.reported)}"  # no formula
    assert by_part["A1", "0"]["effect"] == ""
    assert by_part["A1", "0"]["reason"] == "nothing plays dpo-after-sft-low"


def test_the_catalogue_says_where_a_claim_can_be_tested() -> None:
    studies: dict[str, Mapping[str, object]] = {"tiny": ROLES, "other": {"scale": "base-of-32b"}}
    text = catalogue_markdown(catalogue(), studies)
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert "| tiny |" in lines["B1"]
    assert "none of these" in lines["A2"]
    assert "none of these; nothing here plays " in lines["C8"]
    assert "; asks for base-of-32b: " in lines["C8"]
    assert "reproduced over 0, contradicted under 0.5" in text
    assert "Qwen2.5-Math-7B" in catalogue_terminal(catalogue(), studies)
    assert all(role in roles_terminal(catalogue()) for role in catalogue().roles.arms)
