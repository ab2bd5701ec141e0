"""Held-out likelihood and distance from the base: the same for every model, whatever it was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval_suites.engines import EngineSpec
from harness.stage import Runtime, StageKind
from results.rows import write_scores


class ProbesSpec(BaseModel):
    """How the forward pass is cut."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    micro_batch_tokens: Annotated[int, Field(gt=0)] = 4096


def run(spec: ProbesSpec, inputs: Mapping[str, Path], out: Path, runtime: Runtime) -> None:
    """Writes the score rows. Inputs: `model`, `base`, `demonstrations` (held out), and perhaps `pairs` (held out)."""
    from eval_suites.answered_by import answered_by, beside
    from eval_suites.probes import probe
    from trainers.chat import load_tokenizer
    from trainers.devices import this_device
    from trainers.models import load_model
    from trainers.tokens import TokenizedSet

    sets = {name: TokenizedSet.load(inputs[name]) for name in ("demonstrations", "pairs") if name in inputs}
    model, base = (load_model(inputs[name], this_device()) for name in ("model", "base"))
    scores, items = probe(model, base, sets["demonstrations"], sets.get("pairs"), spec.micro_batch_tokens)
    # The model is read by transformers in float32, as the Hugging Face engine would have it.
    write_scores(out, beside(scores, answered_by(EngineSpec(), load_tokenizer(inputs["model"]))), items)


PROBES = StageKind("probes", 3, run, ProbesSpec, libraries=EngineSpec().libraries, accelerated=True)
