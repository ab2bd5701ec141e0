"""The profile of claims, every arm of it, run small: to a verdict on each claim that it says it can test."""

import json
from pathlib import Path

import pytest

from harness.profile import load_profile
from results.claims.catalogue import catalogue, lacking
from results.store import Store
from tests.end_to_end.command import bridgebench
from tests.harness.studies import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.end_to_end]

SMALL = ROOT / "tests" / "end_to_end" / "tiny_claims.yaml"


def test_every_arm_of_the_claims_profile_runs_and_its_claims_get_verdicts(tmp_path: Path) -> None:
    profile, whole = load_profile(SMALL), load_profile(ROOT / "harness" / "profiles" / "claims.yaml")
    assert (profile.methods, profile.comparisons, profile.claims) == (whole.methods, whole.comparisons, whole.claims)
    done = bridgebench("reproduce", SMALL, "--home", tmp_path, "--here", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    ended = json.loads(done.stdout)
    assert (ended["complete"], ended["failed"]) == (True, {})
    with Store.open(tmp_path / "store.sqlite", create=False) as store:
        arms = store.arms(store.profile(profile.name).digest)
    assert {(arm.name, arm.status) for arm in arms} == {(name, "ok") for name in ("base", *profile.methods)}

    rows = json.loads(bridgebench("claims", profile.name, "--home", tmp_path, "--json").stdout)
    verdicts = {row["claim"]: row["verdict"] for row in rows if row["part"] == 0}
    roles = dict(profile.claims)
    tested = {claim.id for claim in catalogue().claims if not lacking(claim, roles)}
    assert {claim for claim, verdict in verdicts.items() if verdict != "not run"} == tested
    assert verdicts["A5"] == "reproduced", "under total variation the loss is plain SFT, whatever the model"
    parts = [row for row in rows if row["effect"] is not None]
    assert all(row["n_seeds"] == 1 and row["low"] <= row["effect"] <= row["high"] for row in parts)
    shown = bridgebench("claims", profile.name, "--home", tmp_path, "--format", "markdown")
    assert shown.stdout == (tmp_path / "reports" / profile.name / "claims.md").read_text(encoding="utf-8")
    assert shown.stdout.count("\n- ") > len(verdicts) - len(tested), "what was not run is named below"
