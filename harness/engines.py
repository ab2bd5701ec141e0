"""The engine that a stage answers with, what is written of it, and which stages can have the same one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from eval_suites.answered_by import answered_by
from eval_suites.engine import Engine
from eval_suites.engines import EngineSpec, open_engine, open_vllm
from eval_suites.vllm_adapters import room_for
from harness.stage import Runtime, Stage
from results.digest import Json, digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ADAPTER = "adapter"
ENGINE = "engine.json"


def engine_for(spec: EngineSpec, inputs: Mapping[str, Path], runtime: Runtime) -> Engine:
    """The engine for a stage's inputs `model` and, where there is one, `adapter`, to be closed after use.

    A vLLM process is taken from the runtime's keeper if it has one, and then goes on after the stage. Raises UserError
    as open_engine does.
    """
    from trainers.devices import this_device

    model, adapter, device = inputs["model"], inputs.get(ADAPTER), str(this_device())
    if spec.kind != "vllm" or runtime.keeper is None:
        return open_engine(spec, model, adapter, device=device, placement=runtime.placement)
    room = room_for(adapter) if adapter else None
    name = digest([spec.model_dump(mode="json"), str(model.resolve()), room])
    process = runtime.keeper.obtain(name, lambda: open_vllm(spec, model, room, device, runtime.placement))
    return process.engine(adapter)


def write_answered_by(out: Path, spec: EngineSpec, tokenizer: "PreTrainedTokenizerBase", runtime: Runtime) -> None:
    """Writes engine.json, what answers, for the detail of the scores; and into the log where and how it sat.

    A device and a placement are no part of what is asked, so they must not tell equal answers apart.
    """
    from trainers.devices import this_device

    (out / ENGINE).write_text(json.dumps(answered_by(spec, tokenizer), indent=1) + "\n", encoding="utf-8")
    (out / "log").mkdir(exist_ok=True)
    sat = {"device": _device_name(str(this_device())), "placement": runtime.placement.model_dump(mode="json")}
    (out / "log" / ENGINE).write_text(json.dumps(sat, indent=1) + "\n", encoding="utf-8")


def read_answered_by(inputs: Mapping[str, Path]) -> dict[str, Json]:
    """What write_answered_by wrote, of a stage's input `engine`; nothing where no engine answered."""
    found: dict[str, Json] = json.loads(inputs["engine"].read_text(encoding="utf-8")) if "engine" in inputs else {}
    return found


def _device_name(device: str) -> str:
    import platform

    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.processor() or device


def shared_engine(stage: Stage, contents: Mapping[str, str]) -> str | None:
    """A name that stages have in common which one vLLM process can serve; None for a stage that needs no process.

    contents: the digest of each of the stage's inputs
    """
    spec = stage.engine
    if spec is None or spec.kind != "vllm":
        return None
    return digest([spec.model_dump(mode="json"), contents["model"], ADAPTER in contents])
