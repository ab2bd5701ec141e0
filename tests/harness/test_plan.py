"""A profile as a graph: what arms share, what a stage reads, and what changes which stage."""

from pathlib import Path

import pytest

from harness.plan import Arm, Plan
from harness.stage import External, Produced, Stage
from harness.study import open_plan
from tests.harness.studies import TINY, Change, write_profile
from trainers.spec import Lora, TrainSpec


def plan(folder: Path, *changes: Change) -> Plan:
    return open_plan(write_profile(folder, *changes))


def arm(of: Plan, name: str, seed: int = 0) -> Arm:
    return next(each for each in of.arms if (each.name, each.seed) == (name, seed))


def ids(of: Plan, kind: str = "") -> set[str]:
    return {stage.id for stage in of.stages if stage.kind.name.startswith(kind)}


def labels(of: Plan, kind: str) -> list[str]:
    return [stage.label for stage in of.stages if stage.kind.name == kind]


def start_of(stage: Stage) -> Stage:
    start = stage.inputs["start"]
    assert isinstance(start, Produced)
    return start.stage


def test_every_method_has_an_arm_at_every_seed_and_the_base_has_one() -> None:
    made = open_plan(TINY)
    expected = [("base", 0), ("sft", 0), ("sft", 1), ("dft", 0), ("dft", 1), ("sft+dpo", 0), ("sft+dpo", 1)]
    assert [(each.name, each.seed) for each in made.arms] == expected
    assert [each.responses for each in made.arms] == [0, 64, 64, 64, 64, 128, 128]


def test_inputs_come_before_their_users_and_every_stage_once() -> None:
    made = open_plan(TINY)
    seen: set[str] = set()
    for stage in made.stages:
        assert {parent.id for parent in stage.parents} <= seen
        assert stage.id not in seen
        seen.add(stage.id)


def test_arms_that_ask_for_the_same_stage_share_it() -> None:
    made = open_plan(TINY)
    assert len(labels(made, "train")) == 6, "two steps of sft+dpo at two seeds, and the first of them are those of sft"
    assert start_of(arm(made, "sft+dpo").model) is arm(made, "sft").model
    assert start_of(arm(made, "sft+dpo", 1).model) is arm(made, "sft", 1).model
    assert arm(made, "sft").model is not arm(made, "sft", 1).model
    assert len(labels(made, "world")) == len(labels(made, "base")) == 1
    assert sorted(labels(made, "data")) == [
        "data demonstrations",
        "data held-out-demonstrations",
        "data preferences",
        "data pretraining",
    ]


def test_two_names_for_one_recipe_are_one_training(tmp_path: Path) -> None:
    twin = "  twin: {steps: [sft]}\n"
    made = plan(tmp_path, ("  sft+dpo:", f"{twin}  sft+dpo:"))
    assert arm(made, "twin").model is arm(made, "sft").model
    assert arm(made, "twin").scores == arm(made, "sft").scores


def test_the_reference_is_the_model_that_the_step_starts_from_or_the_base(tmp_path: Path) -> None:
    def reference_model(of: Plan) -> Stage:
        reference = arm(of, "sft+dpo").model.inputs["reference"]
        assert isinstance(reference, Produced)
        model = reference.stage.inputs["model"]
        assert isinstance(model, Produced)
        return model.stage

    from_start = open_plan(TINY)
    assert reference_model(from_start) is arm(from_start, "sft").model
    from_base = plan(tmp_path, ("{objective: dpo,", "{objective: dpo, reference: base,"))
    assert reference_model(from_base) is arm(from_base, "base").model
    assert len(labels(from_base, "reference")) == 1, "the base's log-probs are those of both seeds"


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (("title: A study", "title: The study"), set[str]()),
        (("name: tiny", "name: other"), set()),
        (("  short: {", "  brief: {responses: 32, global_batch: 16}\n  short: {"), set()),
        (("concurrency: 2", "temperature: 0.5"), {"judge", "win_rate"}),
        (("max_new_tokens: 16", "max_new_tokens: 8"), {"generate", "judge", "win_rate"}),
        (("groups: [micro_old]", "groups: [micro_new]"), {"boards"}),
        (
            ("responses: 1600", "responses: 3200"),
            {"base", "reference", "train", "generate", "judge", "win_rate", "boards", "probes"},
        ),
    ],
    ids=["title", "name", "a budget nobody uses", "judge", "sampling", "boards", "pretraining"],
)
def test_a_change_of_the_profile_changes_what_depends_on_it_and_nothing_else(
    change: Change, changed: set[str], tmp_path: Path
) -> None:
    before, after = open_plan(TINY), plan(tmp_path, change)
    kinds = {stage.kind.name for stage in before.stages}
    assert {kind for kind in kinds if ids(before, kind) != ids(after, kind)} == changed


def test_an_added_seed_leaves_every_other_stage_as_it_is(tmp_path: Path) -> None:
    before, after = open_plan(TINY), plan(tmp_path, ("seeds: [0, 1]", "seeds: [0, 1, 2]"))
    assert ids(before) < ids(after)


def test_a_file_is_its_content_wherever_it_lies(tmp_path: Path) -> None:
    world_file = "world:ultrachat_200k/train_sft.jsonl"

    def with_rows(folder: str, rows: str) -> Plan:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.jsonl").write_text(rows)
        return plan(tmp_path, (world_file, str(tmp_path / folder / f"{folder}.jsonl")))

    here, there, other = with_rows("here", "{}\n"), with_rows("there", "{}\n"), with_rows("other", "[]\n")
    assert ids(here) == ids(there)
    changed = {kind for kind in ("world", "base", "data", "train") if ids(here, kind) != ids(other, kind)}
    assert changed == {"data", "train"}


def test_a_checkpoint_of_the_users_is_an_input_by_content(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    text = TINY.read_text()
    own = text[text.index("base:\n") : text.index("data:\n  demonstrations")]
    made = plan(tmp_path, (own, f'base: {{checkpoint: "{folder}"}}\n\n'))
    base = arm(made, "base").model
    given = base.inputs["checkpoint"]
    assert isinstance(given, External)
    assert given.location == folder
    assert len(labels(made, "base")) == 1
    data = [stage for stage in made.stages if stage.kind.name == "data"]
    assert {stage.inputs["tokenizer"] for stage in data} == {Produced(base, "tokenizer")}


def test_a_checkpoint_on_the_hub_is_its_name_and_commit(tmp_path: Path) -> None:
    text = TINY.read_text()
    own = text[text.index("base:\n") : text.index("data:\n  demonstrations")]
    made = [
        arm(plan(tmp_path, (own, f'base: {{checkpoint: some/model, revision: "{revision}"}}\n\n')), "base").model
        for revision in ("0" * 40, "0" * 40, "1" * 40)
    ]
    assert made[0].inputs == {}
    assert made[0].id == made[1].id != made[2].id


def test_a_vocabulary_size_makes_a_tokenizer_of_the_studys_own_text(tmp_path: Path) -> None:
    made = plan(tmp_path, ('tokenizer: "world:tokenizer"', "tokenizer: 600"))
    (tokenizer,) = (stage for stage in made.stages if stage.kind.name == "tokenizer")
    assert set(tokenizer.inputs) == {
        "demonstrations.source0",
        "preferences.source0",
    }, "what is held out is no text to learn from"
    (tmp_path / "more").mkdir()
    added = '  remote: {max_length: 64, sources: [{adapter: alpaca, hub: some/rows, split: train, revision: "%s"}]}\n'
    remote = plan(
        tmp_path / "more",
        ('tokenizer: "world:tokenizer"', "tokenizer: 600"),
        ("  preferences:\n", f"{added % ('0' * 40)}  preferences:\n"),
    )
    (tokenizer,) = (stage for stage in remote.stages if stage.kind.name == "tokenizer")
    assert [(view["input"], view["hub"]) for view in tokenizer.spec.model_dump()["sources"]] == [
        ("demonstrations.source0", None),
        (None, "some/rows"),
        ("preferences.source0", None),
    ]


def test_a_local_folder_in_the_hubs_layout_is_its_content(tmp_path: Path) -> None:
    world_file = 'file: "world:ultrachat_200k/train_sft.jsonl"'

    def with_rows(folder: str, rows: str) -> Plan:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.jsonl").write_text(rows)
        return plan(tmp_path, (world_file, f'hub: "{tmp_path / folder}", split: train'))

    here, there, other = with_rows("here", "{}\n"), with_rows("there", "{}\n"), with_rows("other", "[]\n")
    assert ids(here) == ids(there)
    assert {kind for kind in ("world", "base", "data", "train") if ids(here, kind) != ids(other, kind)} == {
        "data",
        "train",
    }


def test_settings_are_what_they_mean_and_not_how_they_are_written(tmp_path: Path) -> None:
    made = [
        ids(plan(tmp_path, ("{objective: dpo,", f"{{objective: dpo,{written}")), "train")
        for written in ("", " settings: {beta: 0.1},", " settings: {beta: 1e-1},", " settings: {beta: 0.2},")
    ]
    assert made[0] == made[1] == made[2] != made[3]


def test_how_arms_are_trained_is_one_for_all_of_them(tmp_path: Path) -> None:
    options = "packing: 256\nlora: {rank: 8, alpha: 16, targets: [q_proj]}\ndevices: 2\nsharding: true\n"
    made = plan(tmp_path, ("seeds: [0, 1]", f"{options}seeds: [0, 1]"))
    for stage in (stage for stage in made.stages if stage.kind.name == "train"):
        spec = stage.spec
        assert isinstance(spec, TrainSpec)
        assert (spec.packing, spec.lora, spec.devices) == (256, Lora(rank=8, alpha=16, targets=("q_proj",)), 2)
        assert spec.sharding
        assert stage.devices == 2
    before = open_plan(TINY)
    assert ids(before, "base") == ids(made, "base")
    assert ids(before, "data") == ids(made, "data")
