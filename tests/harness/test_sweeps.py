"""Sweeps, from the profile to the leaderboard's arms: what is trained, on what, what is chosen and who shares it."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from harness.artifacts import ArtifactStore
from harness.board import Board
from harness.executor import run_here
from harness.kinds import SELECT, TRAIN, VALIDATE
from harness.kinds.data import DATA, DataSpec, SourceView
from harness.plan import Arm, Plan
from harness.recording import Recorder, profile_digest
from harness.stage import Produced, Runtime, Stage
from harness.study import open_plan
from results.errors import UserError
from results.outcomes import ArmKey
from results.store import Store
from tests.harness.studies import TINY
from tests.trainers.tiny import demonstrations, feedback, scored, write_tokenizer
from trainers.batches import collate
from trainers.logprobs import chosen_logprobs
from trainers.models import load_model, save_model
from trainers.records import write_records
from trainers.spec import TrainSpec
from trainers.tokens import TokenizedSet

STUDY = """
name: sweeps
title: Sweeps
seeds: {seeds}
base: {{shape: {{hidden: 32, layers: 1, heads: 2, intermediate: 64, context: 128}}, tokenizer: "{folder}/tokenizer"}}
data:
  shown:
    max_length: 128
    validation: 8
    sources: [{{adapter: records, record: demonstration, file: "{folder}/d.jsonl"}}]
  scored: {{max_length: 128, validation: 4, sources: [{{adapter: records, record: score, file: "{folder}/s.jsonl"}}]}}
  judged: {{max_length: 128, validation: 4, sources: [{{adapter: records, record: binary, file: "{folder}/j.jsonl"}}]}}
budgets:
  two: {{responses: 16, global_batch: 8, schedule: constant, warmup: 0}}
methods:
{methods}
suites: {{}}
leaderboard: {{main: training/clamped_items, baseline: base}}
"""
SFT = "  sft: {steps: [{objective: sft, data: shown, budget: two, learning_rate: [1.0e-4, 1.0e+30, 3.0e-2]}]}"
FIXED = "  fixed: {steps: [{objective: sft, data: shown, budget: two, learning_rate: 3.0e-2}]}"
THEN = "  sft+dft: {steps: [sft, {objective: dft, data: shown, budget: two, learning_rate: [1.0e-2, 3.0e-2]}]}"
UNA = (
    "  una: {steps: [{objective: una-score, data: scored, budget: two, learning_rate: [1.0e-4, 3.0e-4], "
    "settings: {beta: [0.01, 0.1]}}]}"
)
KTO = (
    "  kto: {steps: [sft, {objective: kto, data: judged, budget: two, learning_rate: [1.0e-4, 3.0e-4], "
    "reference: base}]}"
)
HOT = "  hot: {steps: [{objective: sft, data: shown, budget: two, learning_rate: [1.0e+30, 1.0e+31]}]}"


def planned(folder: Path, *methods: str, seeds: str = "[0]") -> Plan:
    """The plan of these methods, on a base of random weights and records of their own."""
    write_tokenizer(folder / "tokenizer")
    write_records(folder / "d.jsonl", demonstrations(24))
    write_records(folder / "s.jsonl", scored(24))
    write_records(folder / "j.jsonl", feedback(24))
    profile = folder / "study.yaml"
    profile.write_text(STUDY.format(folder=folder, seeds=seeds, methods="\n".join(methods)), encoding="utf-8")
    return open_plan(profile)


def arm(of: Plan, name: str, seed: int = 0) -> Arm:
    return next(each for each in of.arms if (each.name, each.seed) == (name, seed))


def above(stage: Stage, name: str) -> Stage:
    """The stage that makes an input of another one."""
    item = stage.inputs[name]
    assert isinstance(item, Produced)
    return item.stage


def kinds(of: Plan) -> Counter[str]:
    return Counter(stage.kind.name for stage in of.stages)


def trained(stage: Stage) -> TrainSpec:
    assert isinstance(stage.spec, TrainSpec)
    return stage.spec


def test_every_candidate_is_trained_and_validated_at_every_seed_and_one_is_selected(tmp_path: Path) -> None:
    made = planned(tmp_path, UNA, seeds="[0, 1]")
    assert kinds(made) == {"base": 1, "data": 2, "reference": 2, "train": 8, "validate": 8, "select": 2}
    choice = arm(made, "una", 1).model
    assert choice.kind is SELECT
    assert choice.inputs.keys() == {f"{role}{i}" for role in ("candidate", "validation") for i in range(4)}
    assert choice.spec.model_dump()["candidates"] == (
        {"learning_rate": 1e-4, "settings.beta": 0.01},
        {"learning_rate": 1e-4, "settings.beta": 0.1},
        {"learning_rate": 3e-4, "settings.beta": 0.01},
        {"learning_rate": 3e-4, "settings.beta": 0.1},
    )
    for i, wanted in enumerate(choice.spec.model_dump()["candidates"]):
        training, validation = above(choice, f"candidate{i}"), above(choice, f"validation{i}")
        assert (training.kind, validation.kind) == (TRAIN, VALIDATE)
        assert above(validation, "model") is training
        assert trained(training).learning_rate == wanted["learning_rate"]
        assert trained(training).settings == {"beta": wanted["settings.beta"]}
        assert (trained(training).seed, trained(training).budget.responses) == (1, 16)


def test_training_reads_the_one_part_and_validation_the_other_each_with_its_reference(tmp_path: Path) -> None:
    choice = arm(planned(tmp_path, UNA), "una").model
    training, validation = above(choice, "candidate0"), above(choice, "validation0")
    train, held_out = above(training, "data").spec, above(validation, "data").spec
    assert isinstance(train, DataSpec)
    assert isinstance(held_out, DataSpec)
    assert (train.part, held_out.part) == ("train", "validation")
    assert held_out == train.model_copy(update={"part": "validation"})
    for stage in (training, validation):
        reference = above(stage, "reference")
        assert above(reference, "data") is above(stage, "data")
        assert above(reference, "model") is above(training, "start")


def test_validation_takes_mismatched_answers_of_its_own_part(tmp_path: Path) -> None:
    made = planned(tmp_path, SFT, KTO)
    choice = arm(made, "kto").model
    validation = above(choice, "validation1")
    assert validation.inputs.keys() == {"model", "data", "reference", "mismatched", "mismatched_reference"}
    others = above(validation, "mismatched")
    assert above(others, "data") is above(validation, "data")
    assert above(above(validation, "mismatched_reference"), "data") is others
    assert above(above(validation, "mismatched_reference"), "model") is arm(made, "base").model
    assert above(above(choice, "candidate0"), "start") is arm(made, "sft").model


def test_a_fixed_setting_shares_the_stage_of_a_candidate_and_a_method_the_selection(tmp_path: Path) -> None:
    made = planned(tmp_path, SFT, FIXED, THEN)
    assert kinds(made)["train"] == 3 + 2
    sweep, then = arm(made, "sft").model, arm(made, "sft+dft").model
    assert arm(made, "fixed").model is above(sweep, "candidate2")
    assert {above(above(then, f"candidate{i}"), "start").id for i in (0, 1)} == {sweep.id}
    assert [each.responses for each in made.arms] == [0, 16, 16, 32]


def test_another_candidate_leaves_the_trainings_of_the_others_as_they_are(tmp_path: Path) -> None:
    def ids(of: Plan, kind: str) -> set[str]:
        return {stage.id for stage in of.stages if stage.kind.name == kind}

    before, after = planned(tmp_path, SFT), planned(tmp_path, SFT.replace("3.0e-2]", "3.0e-2, 1.0e-2]"))
    for kind in ("base", "data", "train", "validate"):
        assert ids(before, kind) <= ids(after, kind)
    assert not ids(before, "select") & ids(after, "select")


def test_without_a_validation_part_nothing_is_held_out_and_there_is_one_stage_a_set() -> None:
    data = [stage for stage in open_plan(TINY).stages if stage.kind is DATA]
    assert {(stage.spec.model_dump()["validation"], stage.spec.model_dump()["part"]) for stage in data} == {
        (0, "train")
    }


def test_a_split_keeps_every_row_once(tmp_path: Path) -> None:
    planned(tmp_path, SFT)
    inputs = {"tokenizer": tmp_path / "tokenizer", "source0": tmp_path / "d.jsonl"}
    view = SourceView(adapter="records", input="source0")

    def rows(**options: object) -> Counter[bytes]:
        out = tmp_path / "-".join(map(str, options.values()))
        out.mkdir()
        DATA.run(DataSpec.model_validate({"sources": (view,), "max_length": 128, **options}), inputs, out, Runtime())
        tokens = TokenizedSet.load(out)
        counted = json.loads((out / "records.json").read_text())
        assert counted["validation"] == options["validation"]
        return Counter(tokens.ids[a:b].tobytes() for a, b in pairwise(tokens.offsets))

    train, held_out = rows(validation=8, part="train"), rows(validation=8, part="validation")
    assert (train.total(), held_out.total()) == (16, 8)
    assert train + held_out == rows(validation=0, part="train")
    assert not train & held_out
    with pytest.raises(UserError, match=r"^24 records cannot be held out of 24; hold out 0 to 23$"):
        rows(validation=24, part="train")


def ran(made: Plan, root: Path) -> Board:
    board = Board(made.stages, ArtifactStore(root))
    run_here(board, lambda stage: Runtime())
    return board


def artifact(board: Board, stage: Stage) -> Path:
    key = board[stage].key
    assert key is not None
    return board.store.folder(stage.kind.name, key)


def nll(board: Board, training: Stage, data: Stage) -> float:
    """Mean negative log-likelihood of a trained model, a row at a time."""
    model, tokens = load_model(artifact(board, training) / "model"), TokenizedSet.load(artifact(board, data))
    with torch.no_grad():
        rows = [collate(tokens, [row]) for row in range(tokens.rows)]
        total = sum(float(chosen_logprobs(model, row.ids, row.mask).sum()) for row in rows)
    return -total / tokens.supervised_tokens


def test_a_sweep_ends_with_the_candidate_that_is_best_on_what_it_never_saw(tmp_path: Path) -> None:
    made = planned(tmp_path, SFT, THEN)
    board = ran(made, tmp_path / "store")
    sweep, then = arm(made, "sft").model, arm(made, "sft+dft").model
    candidates = [above(sweep, f"candidate{i}") for i in range(3)]
    assert [board[stage].status for stage in (*candidates, sweep, then)] == ["done", "diverged", "done", "done", "done"]
    assert board[above(sweep, "validation1")].status == "skipped"

    data = above(above(sweep, "validation0"), "data")
    by_hand = [nll(board, candidates[i], data) for i in (0, 2)]
    choice = json.loads((artifact(board, sweep) / "choice.json").read_text())
    assert [row["loss"] for row in choice["candidates"]] == [
        pytest.approx(by_hand[0], rel=1e-5),
        None,
        pytest.approx(by_hand[1], rel=1e-5),
    ]
    assert by_hand[1] < by_hand[0], "two steps at 1e-4 teach little, and at 3e-2 more"
    assert choice["chosen"] == 2
    manifests = [board[stage].manifest for stage in (sweep, candidates[2])]
    assert manifests[0] is not None
    assert manifests[1] is not None
    assert manifests[0].content("model") == manifests[1].content("model")

    again = Board(planned(tmp_path, SFT, THEN).stages, ArtifactStore(tmp_path / "store"))
    assert again.unfinished == []

    with Store.open(tmp_path / "store.sqlite") as store:
        recorder = Recorder(made, board, store)
        recorder.finish()
        arms = {each.name: each for each in store.arms(profile_digest(made.profile))}
        scores = {one.arm.name for one in store.scores(profile_digest(made.profile))}
        stages = store.stages(profile_digest(made.profile))
    assert {each.status for each in arms.values()} == {"ok"}
    assert scores == {"sft", "sft+dft"}, "the scores of the chosen training are the arm's"
    assert arms["sft"].settings["chosen"] == ["learning_rate=0.03"]
    second = json.loads((artifact(board, then) / "choice.json").read_text())
    rate = second["candidates"][second["chosen"]]["learning_rate"]
    assert arms["sft+dft"].settings["chosen"] == ["learning_rate=0.03", f"learning_rate={rate}"]
    assert "chosen" not in arms["base"].settings
    went = {name: {stage.key for stage in stages[ArmKey(name, 0)] if stage.kind == "train"} for name in arms}
    kept = board[candidates[2]].key
    assert went["sft"] == {kept}, "what was passed over is no part of what the arm has seen"
    assert len(went["sft+dft"]) == 2
    assert kept in went["sft+dft"]


def test_a_sweep_of_which_nothing_is_left_diverged(tmp_path: Path) -> None:
    made = planned(tmp_path, HOT)
    board = ran(made, tmp_path / "store")
    sweep = arm(made, "hot").model
    assert {board[above(sweep, f"candidate{i}")].status for i in (0, 1)} == {"diverged"}
    with Store.open(tmp_path / "store.sqlite") as store:
        Recorder(made, board, store).finish()
        (hot,) = (each for each in store.arms(profile_digest(made.profile)) if each.name == "hot")
    reason = "hot step 1 seed 0 learning_rate=1e+30: loss or gradient not finite at step 1 of 2"
    assert (hot.status, hot.reason) == ("diverged", reason)
    assert "chosen" not in hot.settings


def test_a_loss_that_is_not_finite_is_none(tmp_path: Path) -> None:
    made = planned(tmp_path, FIXED)
    board = ran(made, tmp_path / "store")
    training = arm(made, "fixed").model
    inputs = {"model": tmp_path / "broken", "data": artifact(board, above(training, "data"))}
    model = load_model(artifact(board, training) / "model")
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    save_model(model, tmp_path / "tokenizer", inputs["model"])
    VALIDATE.run(trained(training), inputs, tmp_path, Runtime())
    found = json.loads((tmp_path / "validation.json").read_text())
    assert found == {"loss": None, "items": TokenizedSet.load(inputs["data"]).supervised_tokens}
