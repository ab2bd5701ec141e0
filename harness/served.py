"""What an engine reads to answer as a model of the plan: its weights, or the base that it has in common with others
and its adapter."""

from eval_suites.engines import EngineSpec
from eval_suites.vllm_adapters import can_serve
from harness.engines import ADAPTER
from harness.kinds import SELECT, TRAIN
from harness.stage import Input, Produced, Stage
from trainers.spec import Lora, TrainSpec


def engine_inputs(spec: EngineSpec, model: Produced) -> dict[str, Input]:
    """What a stage must read to answer as a trained model: `model`, perhaps with `adapter`.

    vLLM serves all adapters of one base from one process; so what was trained with adapters, and the winner of a sweep
    of such trainings, is asked for as its base and its adapter. Any other engine reads the merged weights, and so does
    vLLM where it cannot serve the adapter.
    """
    trained = _training(model)
    lora = trained.spec.lora if trained and isinstance(trained.spec, TrainSpec) else None
    if trained is None or lora is None or not served_as_adapter(spec, lora):
        return {"model": model}
    return {"model": trained.inputs["start"], ADAPTER: Produced(model.stage, ADAPTER)}


def served_as_adapter(spec: EngineSpec, lora: Lora) -> bool:
    """Whether what is trained with these adapters is asked for as base and adapter."""
    return spec.kind == "vllm" and can_serve(lora.rank, () if lora.targets == "all-linear" else lora.targets)


def _training(model: Produced) -> Stage | None:
    """The stage that trained a model; of a sweep's winner that of any candidate: they have start and LoRA in common."""
    if model.stage.kind is SELECT:
        candidate = model.stage.inputs["candidate0"]
        return candidate.stage if isinstance(candidate, Produced) else None
    return model.stage if model.stage.kind is TRAIN and model.path == "model" else None
