"""The engine that a stage answers with, and which stages can have the same one."""

from collections.abc import Mapping
from pathlib import Path

from eval_suites.engine import Engine
from eval_suites.engines import EngineSpec, open_engine, open_vllm
from harness.stage import Input, Produced, Runtime, Stage
from results.digest import digest
from trainers.spec import TrainSpec

ADAPTER = "adapter"


def engine_inputs(spec: EngineSpec, model: Produced) -> dict[str, Input]:
    """What a stage must read to answer as a trained model: `model`, perhaps with `adapter`.

    vLLM serves all adapters of one base from one process; so what was trained with adapters is asked for as its base
    and its adapter. Any other engine reads the merged weights.
    """
    trained = model.stage.spec
    if spec.kind == "vllm" and isinstance(trained, TrainSpec) and trained.lora and model.path == "model":
        return {"model": model.stage.inputs["start"], ADAPTER: Produced(model.stage, ADAPTER)}
    return {"model": model}


def engine_for(spec: EngineSpec, inputs: Mapping[str, Path], runtime: Runtime) -> Engine:
    """The engine for a stage's inputs `model` and, where there is one, `adapter`, to be closed after use.

    A vLLM process is taken from the runtime's keeper if it has one, and then goes on after the stage. Raises UserError
    as open_engine does.
    """
    from trainers.devices import this_device

    model, adapter, device = inputs["model"], inputs.get(ADAPTER), str(this_device())
    if spec.kind != "vllm" or runtime.keeper is None:
        return open_engine(spec, model, adapter, device=device, placement=runtime.placement)
    from eval_suites.vllm_engine import room_for

    room = room_for(adapter) if adapter else None
    name = digest([spec.model_dump(mode="json"), str(model.resolve()), room])
    process = runtime.keeper.obtain(name, lambda: open_vllm(spec, model, room, device, runtime.placement))
    return process.engine(adapter)


def shared_engine(stage: Stage, contents: Mapping[str, str]) -> str | None:
    """A name that stages have in common which one vLLM process can serve; None for a stage that needs no process.

    contents: the digest of each of the stage's inputs
    """
    spec = stage.engine
    if spec is None or spec.kind != "vllm":
        return None
    return digest([spec.model_dump(mode="json"), contents["model"], ADAPTER in contents])
