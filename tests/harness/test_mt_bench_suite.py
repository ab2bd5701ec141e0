"""MT-Bench in a plan: which stages answer what a profile asks for."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from eval_suites import mt_bench_download
from eval_suites.engines import EngineSpec
from eval_suites.judge_reply import REPLY_PARSER
from eval_suites.mt_bench_judge import MtBenchJudge
from eval_suites.mt_bench_verdicts import PARSER
from harness.kinds.mt_bench_files import MT_BENCH_FILES, MtBenchFilesSpec
from harness.microworld.judge import MODEL
from harness.microworld.spec import WorldSpec
from harness.stage import External, Input, Produced, Runtime, Stage, StageKind
from harness.suites.mt_bench import MtBench, plan
from tests.real_data import REAL_DATA, needs_real_data


class Nothing(BaseModel):
    model_config = ConfigDict(frozen=True)


def make_nothing(*_: Any) -> None:
    """Never called."""


MAKER = Stage(StageKind("maker", 1, make_nothing, Nothing), Nothing())
MODEL_INPUT = Produced(MAKER, "model")
FILES = {
    "questions": "world:mt_bench/question.jsonl",
    "prompts": "world:mt_bench/judge_prompts.jsonl",
    "references": "world:mt_bench/reference_answer/microworld.jsonl",
}


@dataclass
class Planned:
    """A plan of a profile with or without a world."""

    world: WorldSpec | None = None
    stages: dict[str, Stage] = field(default_factory=dict)

    @property
    def profile(self) -> Any:
        return SimpleNamespace(world=self.world, engine=EngineSpec())

    @property
    def base(self) -> Stage:
        return MAKER

    def place(self, path: str) -> Input:
        return External(Path(path), path)

    def dataset(self, name: str) -> Produced:
        raise AssertionError(f"MT-Bench has no use for dataset {name}")

    def add(self, stage: Stage) -> Stage:
        return self.stages.setdefault(stage.id, stage)


def planned(config: dict[str, Any], world: WorldSpec | None = None) -> tuple[Stage, Planned]:
    planner = Planned(world)
    suite = MtBench.model_validate({"judge": {"model": "gpt-4"}, **config})
    return plan(suite, MODEL_INPUT, "sft seed 0", planner), planner


def kinds(planner: Planned) -> list[str]:
    return [stage.kind.name for stage in planner.stages.values()]


def test_files_that_are_named_are_used() -> None:
    last, planner = planned(FILES)
    assert kinds(planner) == ["mt_bench_answers", "mt_bench_judge", "mt_bench_scores"]
    answers, judge, scores = planner.stages.values()
    assert last is scores
    assert answers.inputs["model"] == MODEL_INPUT
    for name, path in FILES.items():
        assert judge.inputs[name] == External(Path(path), path)
    assert judge.inputs["answers"] == scores.inputs["answers"] == Produced(answers, "answers.jsonl")
    assert scores.inputs["judgments"] == Produced(judge, "judgments.jsonl")
    assert "rubric" not in judge.inputs
    assert answers.spec.model_dump()["sampling"]["max_new_tokens"] == 1024


def test_without_files_upstreams_are_fetched_once_for_all_arms() -> None:
    planner = Planned()
    config = MtBench(judge=MtBenchJudge(model="gpt-4"))
    one = plan(config, MODEL_INPUT, "one", planner)
    two = plan(config, Produced(MAKER, "other"), "two", planner)
    assert one is not two
    assert kinds(planner).count("mt_bench_files") == 1
    fetched = next(stage for stage in planner.stages.values() if stage.kind is MT_BENCH_FILES)
    assert one.inputs["questions"] == two.inputs["questions"] == Produced(fetched, "question.jsonl")


def test_the_local_judge_gets_the_worlds_rubric() -> None:
    world = WorldSpec()
    _, planner = planned({**FILES, "judge": {"model": MODEL}}, world)
    judge = next(stage for stage in planner.stages.values() if stage.kind.name == "mt_bench_judge")
    assert judge.inputs["rubric"] == External(Path("world:rubric.jsonl"), "world:rubric.jsonl")
    assert judge.spec.model_dump(mode="json")["rubric"] == world.judge.model_dump(mode="json")
    _, planner = planned({**FILES, "judge": {"model": MODEL, "base_url": "http://127.0.0.1:1/v1"}}, world)
    assert not any("rubric" in stage.inputs for stage in planner.stages.values())


def test_how_a_judge_is_reached_is_no_part_of_a_stage() -> None:
    one, _ = planned(FILES)
    other, _ = planned({**FILES, "judge": {"model": "gpt-4", "concurrency": 2, "timeout_seconds": 5}})
    assert one.id == other.id
    there, _ = planned({**FILES, "judge": {"model": "gpt-4", "base_url": "http://127.0.0.1:1/v1"}})
    assert one.id != there.id, "another server may call another model so"
    another, _ = planned({**FILES, "judge": {"model": "gpt-4o"}})
    assert one.id != another.id


def test_what_reads_an_answer_and_a_judgment_is_part_of_the_judging_stage() -> None:
    _, planner = planned(FILES)
    (judge,) = (stage for stage in planner.stages.values() if stage.kind.name == "mt_bench_judge")
    spec = judge.spec.model_dump()
    assert (spec["parser"], spec["replies"]) == (PARSER, REPLY_PARSER)
    for later in ({"parser": PARSER + 1}, {"replies": REPLY_PARSER + 1}):
        assert Stage(judge.kind, judge.spec.model_copy(update=later), judge.inputs).id != judge.id


def test_the_record_of_the_judge_goes_with_the_judgments() -> None:
    last, planner = planned(FILES)
    (judge,) = (stage for stage in planner.stages.values() if stage.kind.name == "mt_bench_judge")
    assert last.inputs["judge"] == Produced(judge, "judge.json")


def test_pairs_are_compared_with_the_baseline() -> None:
    last, planner = planned({**FILES, "mode": "pairwise", "baseline": "b.jsonl", "limit": 5})
    _, judge, _ = planner.stages.values()
    assert judge.inputs["baseline"] == last.inputs["baseline"] == External(Path("b.jsonl"), "b.jsonl")
    assert all(stage.spec.model_dump()["limit"] == 5 for stage in planner.stages.values())
    assert judge.spec.model_dump()["mode"] == last.spec.model_dump()["mode"] == "pairwise"


def test_columns_are_what_the_scores_are_called() -> None:
    single = MtBench(judge=MtBenchJudge(model="gpt-4")).columns
    assert single[:4] == ("mt_bench/average", "mt_bench/turn_1", "mt_bench/turn_2", "mt_bench/writing")
    assert len(single) == 3 + 8 + 3
    pairs = MtBench(judge=MtBenchJudge(model="gpt-4"), mode="pairwise", baseline="b").columns
    assert pairs[:3] == ("mt_bench/win_rate_adjusted", "mt_bench/win_rate", "mt_bench/loss_rate")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"questions": "q"}, "belong together, and only questions is named"),
        ({"questions": "q", "prompts": "p"}, "only questions, prompts are named"),
        ({"mode": "pairwise"}, "'baseline' is for mode 'pairwise', which wants one"),
        ({"baseline": "b"}, "'baseline' is for mode 'pairwise'"),
        ({"mode": "both"}, "Input should be 'single' or 'pairwise'"),
        ({"sampling": {"temperature": 0.5}}, "Extra inputs are not permitted"),
        ({"judge": {"model": "gpt-4", "max_tokens": 0}}, "greater than 0"),
    ],
)
def test_mistakes(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        planned(config)


@needs_real_data
@pytest.mark.real_data
def test_the_files_stage_leaves_upstreams_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a local mirror in upstream's layout."""
    mirror = tmp_path / "mirror"
    for name, file in mt_bench_download.FILES.items():
        (mirror / file.place).parent.mkdir(parents=True, exist_ok=True)
        (mirror / file.place).write_bytes((REAL_DATA / "mt_bench" / name).read_bytes())
    monkeypatch.setattr(mt_bench_download, "SOURCE", mirror.as_uri())
    (tmp_path / "out").mkdir()
    MT_BENCH_FILES.run(MtBenchFilesSpec(), {}, tmp_path / "out", Runtime())
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.jsonl")}
    assert found == set(mt_bench_download.FILES)
