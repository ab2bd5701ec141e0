"""The evaluation benchmark: every system does the same work, and what it measures is what it says."""

from pathlib import Path

import pytest

from benchmarks import evaluation
from benchmarks.evaluation import (
    Setting,
    lm_eval_scores,
    main,
    plain_generate,
    write_adapters,
    write_base,
    write_prompts,
)
from eval_suites.engine import Sampling, ScoreRequest
from eval_suites.huggingface import HuggingFaceEngine
from results.errors import UserError
from tests.eval_suites.tiny import needs_vllm
from trainers.spec import LlamaShape

TOY = LlamaShape(hidden=64, layers=2, heads=2, intermediate=96, context=64, init_std=0.2)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    base = write_base(TOY, tmp_path_factory.mktemp("base"))
    return Setting(base, write_prompts(range(8, 60), 70, 20), Sampling(max_new_tokens=12), "cpu", 3, 3)


def test_plain_generate_answers_as_our_engine_does(setting: Setting) -> None:
    engine = HuggingFaceEngine(setting.base)
    answers = engine.generate(setting.prompts, setting.sampling)
    assert plain_generate(engine, setting) == [answer.ids for answer in answers]
    assert len({answer.ids for answer in answers}) > 30


def test_lm_eval_scores_as_our_engine_does(setting: Setting) -> None:
    engine = HuggingFaceEngine(setting.base)
    requests: list[ScoreRequest] = [(prompt, prompt[:2]) for prompt in setting.prompts]
    requests += [(setting.prompts[0], [token]) for token in range(8, 20)]
    wanted = [each.logprob for each in engine.score(requests)]
    assert lm_eval_scores(engine, "cpu")(requests) == pytest.approx(wanted, abs=1e-4)


def test_every_adapter_answers_in_its_own_way(setting: Setting, tmp_path: Path) -> None:
    answers = [
        HuggingFaceEngine(setting.base, adapter=adapter).generate(setting.prompts[:3], setting.sampling)
        for adapter in write_adapters(setting.base, tmp_path, 3)
    ]
    assert len({tuple(answer.ids for answer in each) for each in answers}) == 3


def test_what_does_not_fit_the_shape_is_refused() -> None:
    with pytest.raises(UserError, match="the shape micro has a context of 256"):
        main(["--prompt-tokens", "250"])


@needs_vllm
@pytest.mark.vllm
@pytest.mark.slow
def test_the_tables_have_a_line_for_each_system(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(evaluation.SHAPES, "micro", TOY)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    few = ["--checkpoints", "2", "--fresh", "1", "--prompts", "8", "--prompt-tokens", "20", "--new-tokens", "6"]
    main([*few, "--parts", *(part for part in evaluation.PARTS if part != "overhead")])  # that has its own tests
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    named = [line.split("|")[2 if "fresh" in line or "one for all" in line else 1].strip() for line in lines]
    assert named[2:4] == ["one for all", "each a fresh one (1 timed)"]
    assert named[6:9] == ["plain `model.generate`", "Hugging Face, ours", "vLLM, ours"]
    assert [name.partition(" (within")[0] for name in named[11:]] == [
        "lm-eval's HFLM",
        "Hugging Face, ours",
        "vLLM, ours",
    ]
