"""A method of one's own beside a study: only what is new runs, and its row stands beside the others."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.command import bridgebench, started
from tests.end_to_end.conftest import Finished

pytestmark = [pytest.mark.slow, pytest.mark.end_to_end]

# Where a model gives the answers of another, their judgments are cached too.
ANSWERED = {"train", "generate", "mt_bench_answers", "boards", "probes"}
JUDGED = {"judge", "win_rate", "mt_bench_judge", "mt_bench_scores"}


def run(*arguments: object) -> dict[str, Any]:
    done = bridgebench("run", *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def only_its_own(ran: dict[str, int]) -> bool:
    """Whether one model was trained and asked, and nothing that the study has was made again."""
    return set(ran.values()) == {1} and set(ran) >= ANSWERED and not set(ran) - ANSWERED - JUDGED


def test_a_new_objective_from_its_template_to_its_row(study: Finished, tmp_path: Path) -> None:
    made = bridgebench("new-objective", "my_loss", "--to", tmp_path, "--profile", study.profile)
    assert (made.returncode, made.stderr) == (0, "")
    code = tmp_path / "my_loss.py"
    checked = bridgebench("objectives", "check", code)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    assert "my-loss (gamma=1.0)" in checked.stdout
    assert "0 fail" in checked.stdout

    before = started(study.home)
    ended = run("--method", code, "--home", study.home)  # on Ray: its workers load the file too
    assert ended["complete"]
    assert only_its_own(ended["ran"]), "all other stages are those of the study"
    assert before.items() <= started(study.home).items(), "what was there was not made again"
    assert (ended["profile"], ended["method"]) == ("tiny+my-loss", "my-loss")
    assert {pair["other"] for pair in ended["compared"]} == {"sft", "dft"}, "sft+dpo saw twice as many responses"
    for pair in ended["compared"]:
        assert pair["column"] == "alpaca_eval/win_rate_unofficial"
        assert pair["low"] <= pair["difference"] <= pair["high"]
        assert pair["difference"] == pytest.approx(pair["arm_mean"] - pair["other_mean"])
        assert 0 <= pair["p_value"] <= pair["p_holm"] <= 1

    again = bridgebench("run", "--method", code, "--home", study.home, "--here")
    assert (again.returncode, again.stderr) == (0, "")
    assert "every stage is cached" in again.stdout
    assert "my-loss less each method of the same budget" in again.stdout
    table = bridgebench("leaderboard", "tiny+my-loss", "--home", study.home, "--format", "markdown")
    assert table.returncode == 0
    assert all(f"| {row} |" in table.stdout for row in ("my-loss", "sft", "dft", "base"))
    assert "my-loss" not in bridgebench("leaderboard", "tiny", "--home", study.home).stdout

    code.write_text(code.read_text().replace("hard**settings.gamma", "2.0 * hard**settings.gamma"))
    changed = run("--method", code, "--home", study.home, "--here")
    assert changed["ran"]["train"] == 1, "another formula is another stage"


def test_without_a_yaml_file_it_is_trained_like_the_closest_method_or_as_asked(study: Finished, tmp_path: Path) -> None:
    bridgebench("new-objective", "my_loss", "--to", tmp_path, "--profile", study.profile)
    (tmp_path / "my_loss.yaml").unlink()
    method = ("--method", tmp_path / "my_loss.py", "--profile", study.profile, "--home", study.home, "--here")
    plain = run(*method)
    assert only_its_own(plain["ran"])
    faster = run(*method, "--learning-rate", "3e-3", "--set", "gamma=2", "--name", "faster")
    assert faster["ran"]["train"] == 1
    assert (faster["profile"], faster["method"]) == ("tiny+faster", "faster")
    shown = bridgebench("run", *method, "--learning-rate", "3e-3", "--set", "gamma=2", "--name", "faster")
    assert "faster step 1: my-loss on demonstrations, budget short (64 responses), learning rate 0.003" in shown.stdout
    assert "gamma 2" in shown.stdout


def test_steps_alone_need_only_yaml(study: Finished, tmp_path: Path) -> None:
    recipe = tmp_path / "slow_dpo.yaml"
    recipe.write_text(
        "about: DPO at a lower rate\n"
        "steps:\n  - sft\n  - {objective: dpo, data: preferences, budget: short, learning_rate: 1.0e-4}\n"
    )
    ended = run("--method", recipe, "--profile", study.profile, "--home", study.home, "--here")
    assert only_its_own(ended["ran"]), "its SFT step and the reference of its DPO step are those of sft+dpo"
    assert ended["method"] == "slow-dpo"
    compared = bridgebench(
        "compare", "slow-dpo", "sft+dpo", "--profile", "tiny+slow-dpo", "--home", study.home, "--json"
    )
    columns = {pair["column"]: pair for pair in json.loads(compared.stdout)}
    assert {"alpaca_eval/win_rate_unofficial", "mt_bench/average", "micro_old/average", "probes/held_out_nll"} <= set(
        columns
    )
    nll = columns["probes/held_out_nll"]
    assert (nll["higher_is_better"], nll["unit"]) == (False, "nats")
    assert nll["difference"] == pytest.approx(nll["arm_mean"] - nll["other_mean"])
