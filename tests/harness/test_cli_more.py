"""Commands that look at this machine, at suites and judges, and at two arms of a study."""

import json
import os
import subprocess
from pathlib import Path
from random import Random

import pytest

from harness.comparing import compare_arms
from results.leaderboard import leaderboard
from results.store import Store
from tests.eval_suites.judge_server import completion, judge_server
from tests.harness.studies import BRIDGEBENCH, TINY, Command, write_profile
from tests.real_data import REAL_DATA, needs_real_data
from tests.results.study import arm, mean_score, record, stating
from tests.trainers.objectives.conftest import own_objectives
from trainers.objectives import sft

__all__ = ["own_objectives"]  # what a test registers is gone after it

KEY = "BRIDGEBENCH_TEST_KEY"


def test_doctor_says_what_is_here_and_never_a_key(bridgebench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    ended = bridgebench("doctor", str(TINY), "--json")
    found = {row["what"]: row for row in json.loads(ended.out)}
    assert (ended.code, ended.error) == (0, "")
    assert found["torch"]["verdict"] == found["profile tiny"]["verdict"] == "ok"
    assert found["OPENAI_API_KEY"]["said"] == "set"
    assert "sk-secret" not in ended.out
    assert "hub online" not in found, "nothing is contacted unless asked"
    assert "profile tiny" in bridgebench("doctor", str(TINY)).out


def test_doctor_says_what_a_profile_lacks(tmp_path: Path, bridgebench: Command) -> None:
    judge = f"{{model: other, base_url: 'http://127.0.0.1:9/v1', api_key_env: {KEY}}}"
    profile = write_profile(
        tmp_path, ("{model: microworld-judge-1, concurrency: 2}", judge), ("devices: 2", "devices: 640")
    )
    ended = bridgebench("doctor", str(profile), "--json")
    assert ended.code == 1
    [found] = [row for row in json.loads(ended.out) if row["what"] == "profile study"]
    assert found["verdict"] == "missing"
    assert KEY in found["said"]
    assert "it trains on 640 devices at once" in found["said"]
    assert bridgebench("doctor", "nobody").code == 2


def test_a_judge_is_listed_checked_and_asked(
    tmp_path: Path, bridgebench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "sk-secret")
    with judge_server(lambda request: (200, completion("m", {"m": -0.1}))) as server:
        judge = f"{{model: other, base_url: '{server.url}', api_key_env: {KEY}, usd_per_million_input: 1, "
        judge += "usd_per_million_output: 2}"
        profile = str(write_profile(tmp_path, ("{model: microworld-judge-1, concurrency: 2}", judge)))
        [listed] = json.loads(bridgebench("judge", "list", profile, "--json").out)
        assert (listed["key"], listed["where"]) == (KEY, server.url)
        assert listed["price"] == "1 and 2 USD per million tokens read and written"
        checked = bridgebench("judge", "check", profile)
        assert (checked.code, server.requests) == (0, [])
        asked = bridgebench("judge", "check", profile, "--ask")
        assert asked.code == 0
        assert "answered 'm'" in asked.out
        assert len(server.requests) == 1
        assert bridgebench("judge", "check", profile, "--ask").code == 0
        assert len(server.requests) == 2, "it is asked, not looked up"
        assert server.authorization == {"Bearer sk-secret"}
        [paid] = json.loads(bridgebench("judge", "spent", "--json").out)
        assert paid["replies"] == 2
    gone = bridgebench("judge", "check", profile)
    assert gone.code == 2
    assert "cannot be reached (" in gone.error
    monkeypatch.delenv(KEY)
    assert bridgebench("judge", "check", profile).error == (
        f"bridgebench: the environment variable {KEY}, which holds the judge's key, is not set\n"
    )


def test_suites_are_listed_and_shown(bridgebench: Command) -> None:
    rows = json.loads(bridgebench("suites", "--json").out)
    assert [row["suite"] for row in rows] == ["alpaca_eval", "mt_bench", "math", "boards", "probes"]
    assert all(row["about"].endswith(".") for row in rows)
    shown = bridgebench("suites", "show", "mt_bench")
    assert "single or pairwise" in shown.out
    wrong = bridgebench("suites", "show", "mmlu")
    assert (wrong.code, wrong.error.count("\n")) == (2, 1)
    assert wrong.error.startswith("bridgebench: there is no suite 'mmlu'; there are alpaca_eval, mt_bench,")


def test_two_arms_are_compared_in_every_column(tmp_path: Path, bridgebench: Command) -> None:
    with Store.open(tmp_path / "home" / "store.sqlite") as store:
        record(store, arm("sft"), *mean_score([100.0, 0.0, 100.0, 0.0]))
        record(store, arm("dpo"), *mean_score([100.0, 100.0, 100.0, 0.0]))
    ended = bridgebench("compare", "dpo", "sft", "--profile", "small", "--json")
    assert (ended.code, ended.error) == (0, "")
    [pair] = json.loads(ended.out)
    assert (pair["column"], pair["arm_mean"], pair["other_mean"], pair["difference"]) == ("quiz/accuracy", 75, 50, 25)
    assert pair["low"] < 25 < pair["high"]
    assert pair["p_value"] == pair["p_holm"]
    [back] = json.loads(bridgebench("compare", "sft", "dpo", "--profile", "small", "--json").out)
    assert (back["difference"], back["low"], back["high"]) == (-25, -pair["high"], -pair["low"])
    assert "dpo less sft" in bridgebench("compare", "dpo", "sft", "--profile", "small").out
    wrong = bridgebench("compare", "dpo", "kto", "--profile", "small")
    assert (wrong.code, wrong.error) == (2, "bridgebench: small has no arm 'kto'; it has: dpo, sft\n")
    assert bridgebench("compare", "sft", "sft", "--profile", "small").code == 2


def test_a_comparison_is_the_leaderboards_and_says_what_it_does_not_correct(
    tmp_path: Path, bridgebench: Command
) -> None:
    generator, budget = Random(1), {"sft": "short", "dpo": "short", "kto": "short", "una": "short", "uft": "long"}
    with Store.open(tmp_path / "home" / "store.sqlite") as store:
        for name, comparison in budget.items():
            for seed in range(3):
                one = arm(name, seed, comparisons=[comparison], responses=100)
                shift = generator.gauss(0, 8)
                record(store, one, *mean_score([generator.gauss(50 + shift, 5) for _ in range(30)], unit="points"))
                lengths = [generator.gauss(300, 9) for _ in range(30)]
                record(store, one, *mean_score(lengths, metric="length", unit="characters"))
        store.record_profile(stating(main="quiz/accuracy", baseline="sft"))
        rows = {row.name: row.difference for row in leaderboard(store, "small").rows if row.difference}
        assert set(rows) == {"dpo", "kto", "una"}
        for name, shown in rows.items():
            pairs = {pair.column: pair for pair in compare_arms(store, "small", name, "sft")}
            compared = pairs["quiz/accuracy"].compared
            assert compared is not None and pairs["quiz/length"].higher_is_better is None
            for field in ("mean", "low", "high", "p_value", "degrees_of_freedom"):
                assert getattr(compared.difference, field) == pytest.approx(getattr(shown, field)), (name, field)
    said = bridgebench("compare", "uft", "sft", "--profile", "small").out
    assert "uft and sft were not trained under one budget" in said
    assert "not corrected for there being 2" in said
    assert "budget" not in bridgebench("compare", "dpo", "sft", "--profile", "small").out
    assert {
        one["column"]: one["higher_is_better"]
        for one in json.loads(bridgebench("compare", "dpo", "sft", "--profile", "small", "--json").out)
    } == {"quiz/accuracy": True, "quiz/length": None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("evaluate",), "evaluate wants a target, or one --suite with what is stored"),
        (("run", "--method", "nothing.py"), "--method nothing.py: no such file"),
        (("run", "--method", "x.py", "--set", "gamma"), "--set gamma: NAME=VALUE is wanted, such as beta=0.1"),
        (("new-objective", "My Loss"), "My Loss: a name has small letters, digits and _ only"),
        (("new-objective", "my_loss", "--to", "/nowhere"), "--to /nowhere: no such folder"),
    ],
)
def test_what_is_asked_for_wrongly_is_one_line(bridgebench: Command, given: tuple[str, ...], said: str) -> None:
    ended = bridgebench(*given)
    assert ended.code == 2
    assert ended.error.startswith(f"bridgebench: {said}")
    assert ended.error.count("\n") == 1


def test_objectives_are_listed_for_machines(bridgebench: Command) -> None:
    rows = {row["name"]: row for row in json.loads(bridgebench("objectives", "--json").out)}
    assert rows["dpo"]["signal"] == "pair"
    assert rows["sft"]["needs_reference"] is False
    shown = json.loads(bridgebench("objectives", "show", "dpo", "--json").out)
    assert {key: shown[key] for key in rows["dpo"]} == rows["dpo"]
    assert {row["setting"]: row["default"] for row in shown["settings"]}["beta"] == 0.1


def test_an_objective_is_checked_for_machines(tmp_path: Path, bridgebench: Command) -> None:
    text = Path(str(sft.__file__)).read_text(encoding="utf-8").replace('    "sft",', '    "over-padding",')
    own = tmp_path / "over_padding.py"
    own.write_text(text.replace("responses.policy[responses.mask]", "responses.policy"), encoding="utf-8")
    ended = bridgebench("objectives", "check", "sft", str(own), "--json")
    good, bad = json.loads(ended.out)
    assert (ended.code, good["objective"], good["passed"], bad["passed"]) == (1, "sft", True, False)
    assert [each["law"] for each in bad["findings"] if each["verdict"] == "fails"] == ["masked places"]
    assert bridgebench("objectives", "check", "sft").code == 0


def test_the_shell_completes_commands_and_profiles() -> None:
    def completed(line: str) -> set[str]:
        words = {
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
            "_BRIDGEBENCH_COMPLETE": "complete_bash",
        }
        done = subprocess.run([BRIDGEBENCH], env={**os.environ, **words}, capture_output=True, text=True, check=False)
        return set(done.stdout.split())

    assert {"reproduce", "run", "evaluate", "compare", "doctor"} <= completed("bridgebench ")
    assert {"micro", "objectives", "suites"} <= completed("bridgebench plan ")
    assert completed("bridgebench plan mi") == {"micro"}


@needs_real_data
def test_difficulties_are_refitted_for_machines(tmp_path: Path, bridgebench: Command) -> None:
    models = [path for path in sorted((REAL_DATA / "alpaca_eval" / "models").iterdir()) if path.name != "NullModel"]
    given = [f"{path.name}={path}/annotations.json.gz" for path in models]
    ended = bridgebench("difficulty", *given, "--out", str(tmp_path / "table.json"), "--json")
    assert (ended.code, ended.error) == (0, "")
    found = json.loads(ended.out)
    assert {row["model"] for row in found["models"]} == {path.name for path in models}
    gaps = [abs(row["refitted"] - row["published"]) for row in found["models"] if not row["note"]]
    assert (len(gaps), max(gaps)) == (found["errors"]["models"], pytest.approx(found["errors"]["largest"]))
    assert Path(found["table"]).is_file()
