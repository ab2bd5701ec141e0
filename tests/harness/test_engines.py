"""The generate stage and its engine: resumed, shared over checkpoints, and the same answers in every case."""

import json
from pathlib import Path

import pytest

from eval_suites.engine import Sampling
from eval_suites.engines import EngineSpec, Placement, open_vllm
from eval_suites.generation import CHUNK
from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.vllm_engine import VllmProcess
from harness.board import Board
from harness.executor import run_here
from harness.kinds import GENERATE, SELECT, TRAIN
from harness.kinds.generate import GenerateSpec
from harness.kinds.select import SelectSpec
from harness.perform import perform
from harness.served import engine_inputs
from harness.stage import External, Input, Produced, Runtime, Stage
from tests.eval_suites.tiny import needs_vllm, write_adapter, write_checkpoint
from tests.harness.toys import board, given, statuses, written
from tests.trainers.runs import train_spec
from trainers.spec import Lora

SAMPLING = Sampling(max_new_tokens=10, temperature=1.0)
GREEDY = Sampling(max_new_tokens=10)
VLLM = EngineSpec(kind="vllm")


def runtime(stage: Stage) -> Runtime:
    return Runtime(placement=Placement(cache_gib=0.25, max_sequences=32))


def folder_input(folder: Path) -> External:
    """A folder of the test's own as an input, named by its path."""
    return External(folder, str(folder.name))


def answers(label: str, engine: EngineSpec, sampling: Sampling, instructions: Path, **folders: Path) -> Stage:
    inputs: dict[str, Input] = {"instructions": given(instructions)}
    inputs |= {name: folder_input(folder) for name, folder in folders.items()}
    return Stage(GENERATE, GenerateSpec(engine=engine, sampling=sampling), inputs, label=label)


def texts(of: Board, stage: Stage) -> list[str]:
    key = of[stage].key
    assert key is not None
    rows = json.loads((of.store.folder(GENERATE.name, key) / "outputs.json").read_text())
    return [row["output"] for row in rows]


def write_instructions(path: Path, count: int) -> Path:
    texts = (f"w{n % 40} w{n // 40} w1 w2" for n in range(count))
    path.write_text(json.dumps([{"instruction": text, "dataset": "d"} for text in texts]))
    return path


def test_a_stopped_stage_goes_on_and_leaves_no_trace_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instructions = write_instructions(tmp_path / "instructions.json", CHUNK + 20)
    stage = answers("a", EngineSpec(), SAMPLING, instructions, model=write_checkpoint(tmp_path / "model"))
    whole = board(tmp_path / "whole", stage)
    run_here(whole, runtime)

    class Stopped(Exception):
        pass

    asked: list[int] = []
    generate = HuggingFaceEngine.generate

    def counted(self: HuggingFaceEngine, prompts: list[list[int]], sampling: Sampling) -> object:
        if sum(asked) == CHUNK and len(asked) == 1:
            asked.append(0)
            raise Stopped
        asked.append(len(prompts))
        return generate(self, prompts, sampling)

    monkeypatch.setattr(HuggingFaceEngine, "generate", counted)
    stopped = board(tmp_path / "stopped", stage)
    job = stopped.job(stopped[stage], Runtime())
    with pytest.raises(Stopped):
        perform(job)
    manifest, wanted = perform(job), whole[stage].manifest
    assert asked == [CHUNK, 0, 20], "what was answered before the stop is not asked again"
    assert wanted is not None
    assert manifest.content() == wanted.content()
    assert list(manifest.files) == ["engine.json", "log/engine.json", "outputs.json"]
    folder = stopped.store.folder(GENERATE.name, job.key)
    assert sorted(path.name for path in folder.iterdir()) == ["engine.json", "log", "manifest.json", "outputs.json"]


@pytest.mark.vllm
@pytest.mark.slow
@needs_vllm
def test_adapters_share_a_process_and_other_weights_get_a_fresh_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instructions = write_instructions(tmp_path / "instructions.json", 20)
    started: list[VllmProcess] = []

    def counted(*arguments: object) -> VllmProcess:
        assert not any(process.process_id for process in started), "never two at a time"
        started.append(open_vllm(*arguments))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr("harness.engines.open_vllm", counted)
    base, other = (write_checkpoint(tmp_path / f"base{seed}", seed=seed, heads=1, tied=True) for seed in (0, 1))
    merged, adapters = [], []
    for seed in (1, 2):
        merged.append(tmp_path / f"merged{seed}")
        adapters.append(write_adapter(base, tmp_path / f"adapter{seed}", seed=seed, merged=merged[-1]))
    one, two = (
        answers(name, VLLM, GREEDY, instructions, model=base, adapter=adapter)
        for name, adapter in zip("ab", adapters, strict=True)
    )
    full = answers("full", VLLM, GREEDY, instructions, model=other)
    # in an order that would have three processes, were it kept
    shared = board(tmp_path / "shared", one, full, two)
    run_here(shared, runtime)
    assert set(statuses(shared).values()) == {"done"}, [state.reason for state in shared.states.values()]
    assert len(started) == 2
    assert [process.process_id for process in started] == [None, None], "no stage to come, no process"

    hugging_face = [
        answers(name, EngineSpec(), GREEDY, instructions, model=folder)
        for name, folder in zip(("a", "b", "full"), (*merged, other), strict=True)
    ]
    reference = board(tmp_path / "reference", *hugging_face)
    run_here(reference, runtime)
    found = [texts(shared, stage) for stage in (one, two, full)]
    assert found == [texts(reference, stage) for stage in hugging_face]
    assert found[0] != found[1] != found[2]

    fresh = board(tmp_path / "fresh", two)
    manifest = perform(fresh.job(fresh[two], runtime(two)))  # no keeper: an engine of its own
    assert len(started) == 2
    assert manifest.key == shared[two].key
    wanted = shared[two].manifest
    assert wanted is not None
    assert manifest.content() == wanted.content()


def test_what_was_trained_with_adapters_is_asked_as_base_and_adapter() -> None:
    start = Produced(written("base"), "model")
    lora = Stage(TRAIN, train_spec("sft").model_copy(update={"lora": Lora(rank=4, alpha=8)}), {"start": start})
    full = Stage(TRAIN, train_spec("sft"), {"start": start})
    trained, adapter = Produced(lora, "model"), Produced(lora, "adapter")
    assert engine_inputs(VLLM, trained) == {"model": start, "adapter": adapter}
    assert engine_inputs(EngineSpec(), trained) == {"model": trained}
    assert engine_inputs(VLLM, Produced(full, "model")) == {"model": Produced(full, "model")}
    assert engine_inputs(VLLM, start) == {"model": start}


@pytest.mark.parametrize(
    "lora", [Lora(rank=4, alpha=8, targets=("q_proj", "lm_head")), Lora(rank=1024, alpha=8)], ids=["lm_head", "rank"]
)
def test_an_adapter_that_vllm_cannot_serve_is_asked_as_the_merged_model(lora: Lora) -> None:
    start = Produced(written("base"), "model")
    trained = Produced(Stage(TRAIN, train_spec("sft").model_copy(update={"lora": lora}), {"start": start}), "model")
    assert engine_inputs(VLLM, trained) == {"model": trained}


def test_the_winner_of_a_sweep_of_adapters_is_asked_as_base_and_adapter() -> None:
    start = Produced(written("base"), "model")
    for lora in (Lora(rank=4, alpha=8), None):
        specs = [train_spec("sft").model_copy(update={"lora": lora, "learning_rate": rate}) for rate in (1e-3, 1e-4)]
        candidates = [Produced(Stage(TRAIN, spec, {"start": start})) for spec in specs]
        settings = tuple({"learning_rate": spec.learning_rate} for spec in specs)
        inputs = {f"candidate{i}": candidate for i, candidate in enumerate(candidates)}
        chosen = Stage(SELECT, SelectSpec(candidates=settings), inputs)
        winner = Produced(chosen, "model")
        assert engine_inputs(EngineSpec(), winner) == {"model": winner}
        if lora is None:
            assert engine_inputs(VLLM, winner) == {"model": winner}
        else:
            assert engine_inputs(VLLM, winner) == {"model": start, "adapter": Produced(chosen, "adapter")}


def test_answers_say_what_made_them_and_the_placement_is_no_part_of_them(tmp_path: Path) -> None:
    instructions = write_instructions(tmp_path / "instructions.json", 20)
    stage = answers("a", EngineSpec(), GREEDY, instructions, model=write_checkpoint(tmp_path / "model"))
    found = []
    for size in (3, 64):
        made = board(tmp_path / str(size), stage)
        manifest = perform(made.job(made[stage], Runtime(placement=Placement(batch_size=size))))
        folder = made.store.folder(GENERATE.name, manifest.key)
        assert json.loads((folder / "log" / "engine.json").read_text())["placement"]["batch_size"] == size
        engine = json.loads((folder / "engine.json").read_text())
        assert engine["engine"] == EngineSpec().identity
        assert len(engine["chat_template"]) == 64
        found.append((manifest.key, manifest.content()))
    assert found[0] == found[1]


@needs_vllm
def test_the_version_of_vllm_is_identity_where_it_answers() -> None:
    spec = [GENERATE.libraries_of(GenerateSpec(engine=engine, sampling=GREEDY)) for engine in (EngineSpec(), VLLM)]
    assert spec[0] == ("tokenizers", "torch", "transformers")
    assert spec[1][:3] == spec[0]
    assert spec[1][3].startswith("vllm")
