"""What a profile asks of its engine, looked at before anything runs."""

import pytest
import torch

from eval_suites.engines import EngineSpec
from harness.engine_checks import check_engine
from harness.profile import load_profile
from results.errors import UserError
from tests.eval_suites.tiny import needs_vllm
from tests.harness.studies import TINY
from trainers import devices
from trainers.spec import Lora


@needs_vllm
def test_adapters_that_vllm_cannot_serve_on_a_gpu_are_refused_before_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile = load_profile(TINY).model_copy(update={"engine": EngineSpec(kind="vllm"), "lora": Lora(rank=4, alpha=8)})
    monkeypatch.setattr(devices, "this_device", lambda: torch.device("cpu"))
    check_engine(profile)
    monkeypatch.setattr(devices, "this_device", lambda: torch.device("cuda", 0))
    with pytest.raises(UserError, match="on a GPU vLLM serves adapters in 16 bits only: write engine: "):
        check_engine(profile)
    check_engine(profile.model_copy(update={"engine": EngineSpec(kind="vllm", precision="bfloat16")}))
    check_engine(profile.model_copy(update={"lora": None}))
    # the output layer's are merged into the weights, which vLLM serves at any precision
    check_engine(profile.model_copy(update={"lora": Lora(rank=4, alpha=8, targets=("lm_head",))}))
