"""`bridgebench claims`: the catalogue, the roles, a study's verdicts, and profiles' maps of roles."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from harness.cli_claims import claims
from harness.extending import find_profile
from harness.profile import load_profile
from harness.study import open_plan
from results.claims.catalogue import catalogue, lacking, listed, missing_roles
from results.claims.contrast import arm_roles
from results.claims.recording import csv as as_csv
from results.claims.table import ClaimTable, claim_table
from results.errors import UserError
from results.store import Store
from tests.harness.studies import TINY
from tests.results.claims.test_table import ROLES, fill
from tests.results.study import PROFILE

app = typer.Typer()
app.command()(claims)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_all_claims_are_listed_without_a_study() -> None:
    ended = run()
    assert ended.exit_code == 0
    assert all(claim.id in ended.output for claim in catalogue().claims)
    assert run("--format", "markdown").output.startswith("## Claims\n")
    assert "dpo-after-sft-low" in run("--roles").output


def test_the_verdicts_of_a_study(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.sqlite") as store:
        fill(store)
        store.record_profile(PROFILE.model_copy(update={"spec": {"claims": ROLES}}))
    ended = run("small", "--home", str(tmp_path), "--format", "markdown")
    assert ended.exit_code == 0
    assert ended.output.startswith("## Claims in small\n")
    assert "reproduced" in run("small", "--home", str(tmp_path)).output
    rows = json.loads(run("small", "--home", str(tmp_path), "--json").output)
    lines = list(csv.DictReader(StringIO(as_csv(table_of(tmp_path)))))
    assert [(row["claim"], str(row["part"]), row["verdict"]) for row in rows] == [
        (line["claim"], line["part"], line["verdict"]) for line in lines
    ]
    assert list(rows[0]) == list(lines[0])
    assert {row["claim"] for row in rows} == {claim.id for claim in catalogue().claims}
    assert "reproduced" in {row["verdict"] for row in rows}
    assert all(row["effect"] is None for row in rows if row["verdict"] == "not run")


def table_of(home: Path) -> ClaimTable:
    with Store.open(home / "store.sqlite", create=False) as store:
        return claim_table(store, "small")


def test_claims_and_roles_are_listed_for_machines() -> None:
    rows = {row["id"]: row for row in json.loads(run("--json").output)}
    assert list(rows) == [claim.id for claim in catalogue().claims]
    assert "claims" in rows["A1"]["profiles"]
    assert rows["D4"]["profiles"] == []
    assert rows["A1"]["spec"]["parts"][0]["kind"] == "difference"
    roles = json.loads(run("--roles", "--json").output)
    assert (set(roles), roles["metrics"]["length"]["unit"]) == ({"arms", "metrics", "scales"}, "characters")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "html"), "--format html: there are terminal and markdown"),
        (("large",), "the store has no profile 'large'"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    Store.open(tmp_path / "store.sqlite").close()
    ended = run(*arguments, "--home", str(tmp_path))
    assert isinstance(ended.exception, UserError)
    assert message in str(ended.exception)


def test_a_profile_maps_roles_to_its_methods(tmp_path: Path) -> None:
    methods = list(load_profile(TINY).methods)
    path = tmp_path / "mapped.yaml"

    def mapped(claims: str) -> Path:
        path.write_text(f"{TINY.read_text('utf-8')}\nclaims: {claims}\n", "utf-8")
        return path

    loaded = load_profile(mapped(f"{{sft: {methods[0]}, old-board: [a/average, b/acc]}}"))
    assert loaded.claims == {"sft": methods[0], "old-board": ("a/average", "b/acc")}
    for written, message in (
        ("{stf: base}", r"mapped\.yaml: claims: no claim has a role 'stf'"),
        ("{sft: nobody}", r"mapped\.yaml: claims: sft: there is no method 'nobody'"),
        ("{old-board: average}", r"mapped\.yaml: claims: old-board: 'average': a metric is wanted"),
    ):
        with pytest.raises(UserError, match=message):
            load_profile(mapped(written))


def test_methods_of_ones_own_leave_the_parents_map_behind(tmp_path: Path) -> None:
    parent = tmp_path / "parent.yaml"
    parent.write_text(
        f"{TINY.read_text('utf-8')}\nclaims: {{sft: {next(iter(load_profile(TINY).methods))}}}\n", "utf-8"
    )
    child = tmp_path / "child.yaml"
    child.write_text(f"extends: {parent}\nname: child\ntitle: same methods\n", "utf-8")
    assert load_profile(child).claims == load_profile(parent).claims != {}
    child.write_text(f"extends: {parent}\nname: child\nmethods: {{}}\ncomparisons: {{}}\n", "utf-8")
    assert load_profile(child).claims == {}


@pytest.mark.parametrize("name", ["micro", "objectives"])
def test_a_shipped_map_of_roles_makes_claims_testable(name: str) -> None:
    roles = dict(load_profile(find_profile(name)).claims)
    if not roles:
        pytest.skip(f"{name} maps no roles")
    assert sum(not lacking(claim, roles) for claim in catalogue().claims) >= 3


# What the microworld has no data, no suite or no objective for: claims, or parts of claims that have several.
ELSEWHERE = {"B3", "B5", "B6", "B7", "B8", "B9", "C5", "C8", "D3", "D4"}
IN_PART = {"A3", "C3", "D2"}


def test_the_profile_of_claims_tests_all_that_can_be_tested_in_the_microworld() -> None:
    plan = open_plan(find_profile("claims"))
    profile, roles = plan.profile, dict(plan.profile.claims)
    assert {claim.id for claim in catalogue().claims if lacking(claim, roles)} == ELSEWHERE
    tested = [claim for claim in catalogue().claims if not lacking(claim, roles)]
    whole = {claim.id for claim in tested if not any(missing_roles(part, roles) for part in claim.tests)}
    assert {claim.id for claim in tested} - whole == IN_PART
    assert {arm.name for arm in plan.arms} == {"base", *profile.methods}
    # What is compared has one budget, unless the claim is about more of it.
    for claim in tested:
        for part in claim.tests:
            if part.unmatched or missing_roles(part, roles):
                continue
            names = {name for role in arm_roles(part) for name in listed(roles.get(role, role))} - {"base"}
            assert any(names <= set(methods) for methods in profile.comparisons.values()), (claim.id, names)


def test_the_list_of_claims_says_what_no_profile_has() -> None:
    text = run("--format", "markdown").output
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}
    for claim in catalogue().claims:
        assert ("none of these" in lines[claim.id]) == (claim.id in ELSEWHERE), claim.id
    assert "nothing here plays iw-sft" in lines["B9"]
    assert "nothing here plays truthfulness, uft-more-demonstrations" in lines["C5"].replace(
        "uft-more-demonstrations, truthfulness", "truthfulness, uft-more-demonstrations"
    )
