"""The model that every method starts from: pretrained here, random, or a checkpoint that is given."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.stage import Ended, Runtime, StageKind
from trainers.spec import LlamaShape, TrainSpec

# safetensors, configuration and tokenizer; nothing that would have to be unpickled or run
CHECKPOINT_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")


class Pretrained(BaseModel):
    """A model of this shape, trained on plain text by the ordinary loop. Inputs: `tokenizer`, `data`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["pretrained"] = "pretrained"
    shape: LlamaShape
    init_seed: int
    training: TrainSpec


class Random(BaseModel):
    """A model of this shape with random weights. Inputs: `tokenizer`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["random"] = "random"
    shape: LlamaShape
    init_seed: int


class Checkpoint(BaseModel):
    """A local folder (input `checkpoint`), or a hub id at a commit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["checkpoint"] = "checkpoint"
    hub: str | None = None
    revision: str | None = None


class BaseSpec(BaseModel):
    """Which of the three."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Annotated[Pretrained | Random | Checkpoint, Field(discriminator="type")]


def run(spec: BaseSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> Ended | None:
    """Writes model/, a complete checkpoint folder; of a given one also tokenizer/, which other weights may share."""
    from trainers.models import copy_tokenizer

    match spec.base:
        case Checkpoint():
            _copy_checkpoint(spec.base, inputs.get("checkpoint"), out / "model")
            copy_tokenizer(out / "model", out / "tokenizer")
            return None
        case Random():
            return _from_scratch(spec.base, None, inputs, out, runtime)
        case Pretrained():
            return _from_scratch(spec.base, spec.base.training, inputs, out, runtime)


def _from_scratch(
    base: Pretrained | Random, training: TrainSpec | None, inputs: Mapping[str, Path], out: Path, runtime: Runtime
) -> Ended | None:
    from trainers.chat import load_tokenizer
    from trainers.loop import train
    from trainers.models import random_llama, save_model
    from trainers.tokens import TokenizedSet

    model = random_llama(base.shape, load_tokenizer(inputs["tokenizer"]), base.init_seed)
    if training:
        tokens = TokenizedSet.load(inputs["data"])
        outcome = train(
            training,
            model,
            tokens,
            None,
            out,
            report=runtime.report,
            checkpoint_seconds=runtime.checkpoint_seconds,
        )
        if outcome.diverged_at is not None:
            return Ended("diverged", f"pretraining diverged at step {outcome.diverged_at}")
    if runtime.leads:
        save_model(model, inputs["tokenizer"], out / "model")
        summary = {"parameters": sum(p.numel() for p in model.parameters())}
        (out / "summary.json").write_text(json.dumps(summary) + "\n", encoding="utf-8")
    return None


def _copy_checkpoint(base: Checkpoint, folder: Path | None, out: Path) -> None:
    if folder is None:
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(str(base.hub), revision=base.revision, allow_patterns=list(CHECKPOINT_FILES)))
    out.mkdir(exist_ok=True)
    for pattern in CHECKPOINT_FILES:
        for file in sorted(folder.glob(pattern)):
            shutil.copyfile(file, out / file.name)
    from trainers.chat import load_tokenizer
    from trainers.models import load_model

    load_tokenizer(out)
    load_model(out)


BASE = StageKind(
    "base", 4, run, BaseSpec, libraries=("numpy", "torch", "transformers"), resumable=True, accelerated=True
)
