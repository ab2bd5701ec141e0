"""Models from elsewhere beside a study: each kind of target is evaluated for real, and every wrong one is one line."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eval_suites.engine import Sampling
from eval_suites.huggingface import HuggingFaceEngine
from results.leaderboard import leaderboard
from results.store import Store
from tests.end_to_end.command import ENVIRONMENT, bridgebench, started
from tests.end_to_end.conftest import Finished
from tests.eval_suites.judge_server import completion, judge_server
from trainers.chat import load_tokenizer, prompt_ids
from trainers.records import Message

pytestmark = [pytest.mark.slow, pytest.mark.end_to_end]

ALL = {"alpaca_eval", "mt_bench", "micro_old", "probes"}


def evaluate(study: Finished, *arguments: object) -> dict[str, Any]:
    done = bridgebench("evaluate", *arguments, "--profile", study.profile, "--home", study.home, "--here", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def values(found: dict[str, Any], suite: str) -> dict[str, float]:
    return {row["metric"]: row["value"] for row in found["scores"] if row["suite"] == suite}


def of_arm(study: Finished, arm: str, suite: str) -> dict[str, float | None]:
    with Store.open(study.home / "store.sqlite", create=False) as store:
        scores = store.scores(store.profile("tiny").digest)
    return {one.score.metric: one.score.value for one in scores if (one.arm.name, one.score.suite) == (arm, suite)}


def trained(study: Finished, name: str) -> Path:
    """The checkpoint of a method of the study."""
    for manifest in sorted((study.home / "artifacts" / "train").glob("*/manifest.json")):
        if json.loads(manifest.read_text())["spec"]["objective"] == name:
            return manifest.parent / "model"
    raise AssertionError(name)


def test_a_folder_is_scored_as_the_same_model_in_the_study_and_joins_its_table(study: Finished) -> None:
    elsewhere = study.home.parent / "copied-sft"
    shutil.copytree(trained(study, "sft"), elsewhere)
    (elsewhere / "optimizer.pt").write_bytes(b"what lies beside a model is no part of it")
    found = evaluate(study, elsewhere, "--compare-with", "sft", "--compare-with", "dft")
    assert found["complete"]
    assert {row["suite"] for row in found["scores"]} > ALL
    for suite in ALL:
        own = of_arm(study, "sft", suite)
        assert values(found, suite) == {metric: own[metric] for metric in values(found, suite)}
    same = [pair for pair in found["compared"] if pair["other"] == "sft"]
    assert same and all(pair["difference"] == 0 for pair in same)
    assert any(pair["difference"] != 0 for pair in found["compared"] if pair["other"] == "dft")

    with Store.open(study.home / "store.sqlite", create=False) as store:
        rows = {row.name: row for row in leaderboard(store, "tiny").rows}
    assert set(rows) == {"base", "sft", "dft", "sft+dpo", "copied-sft"}
    assert rows["copied-sft"].external == "the folder copied-sft"
    assert (rows["copied-sft"].matched, rows["copied-sft"].compared) == (False, None), "its budget is not known"
    table = bridgebench("leaderboard", "tiny", "--home", study.home).stdout
    assert "copied-sft: external, the folder copied-sft" in " ".join(table.split())

    before = started(study.home)
    again = evaluate(study, elsewhere, "--suite", "probes")
    assert {row["suite"] for row in again["scores"]} > ALL, "what it was scored by before stays"
    assert started(study.home) == before, "it is cached"
    done = bridgebench("reproduce", study.profile, "--home", study.home, "--here")
    assert "every stage is cached" in done.stdout
    assert "copied-sft" in done.stdout, "the study itself keeps the row"


def test_an_adapter_is_scored_as_its_merged_weights(study: Finished, tmp_path: Path) -> None:
    base = study.artifact("base") / "model"
    adapter = save_adapter(base, tmp_path / "adapter")
    found = evaluate(study, adapter, "--suite", "alpaca_eval", "--suite", "probes")
    assert {row["suite"] for row in found["scores"]} == {"alpaca_eval", "probes"}
    assert values(found, "probes")["kl_to_base"] > 0, "the adapter is there"
    named = save_adapter(base, tmp_path / "named", names=str(base))
    again = evaluate(study, named, "--suite", "probes")
    assert values(again, "probes") == values(found, "probes"), "the study's base is the one that it names"
    merged = evaluate(study, study.artifact("adapted") / "model", "--name", "merged", "--suite", "probes")
    assert values(merged, "probes") == values(found, "probes")


def test_a_file_of_answers_is_judged_as_the_model_that_gave_them(study: Finished, tmp_path: Path) -> None:
    rows = json.loads((study.artifact("generate") / "outputs.json").read_text())
    answers = tmp_path / "someones.json.gz"
    answers.write_bytes(gzip.compress(json.dumps([row | {"generator": "someone"} for row in reversed(rows)]).encode()))
    found = evaluate(study, answers)
    assert {row["suite"] for row in found["scores"]} == {"alpaca_eval"}
    assert any(
        values(found, "alpaca_eval")["win_rate_unofficial"] == of_arm(study, arm, "alpaca_eval")["win_rate_unofficial"]
        for arm in ("base", "sft", "dft", "sft+dpo")
    )
    turns = shutil.copyfile(study.artifact("mt_bench_answers") / "answers.jsonl", tmp_path / "turns.jsonl")
    assert {row["suite"] for row in evaluate(study, turns)["scores"]} == {"mt_bench"}


def test_an_endpoint_is_asked_for_what_needs_only_its_answers(study: Finished) -> None:
    model = trained(study, "sft")
    tokenizer = load_tokenizer(model)
    with HuggingFaceEngine(model) as engine:

        def respond(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            messages = [Message.model_validate(message) for message in request["messages"]]
            how = Sampling(max_new_tokens=request["max_tokens"], temperature=request["temperature"])
            [answer] = engine.generate([prompt_ids(tokenizer, messages)], how)
            body = completion(answer.text)
            body["choices"][0]["finish_reason"] = "stop" if answer.finished else "length"
            return 200, body

        with judge_server(respond) as server:
            target = f"openai:org/my-model@{server.url}"
            found = evaluate(study, target)
            asked = len(server.requests)
            assert {row["suite"] for row in found["scores"]} == {"alpaca_eval", "mt_bench"}
            assert (
                values(found, "alpaca_eval")["win_rate_unofficial"]
                == of_arm(study, "sft", "alpaca_eval")["win_rate_unofficial"]
            )
            assert asked == 20 + 2 * 4, "twenty instructions, four questions of two turns"
            shutil.rmtree(study.home / "artifacts" / "api_answers")
            assert evaluate(study, target)["row"] == "my-model"
            assert len(server.requests) == asked, "every answer is kept: nothing is asked twice"


SHA = "0123456789abcdef0123456789abcdef01234567"


def test_a_hub_id_is_read_from_a_local_cache(study: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "hub" / "models--org--small"
    shutil.copytree(trained(study, "sft"), repository / "snapshots" / SHA)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(SHA)
    monkeypatch.setitem(ENVIRONMENT, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setitem(ENVIRONMENT, "HF_HUB_OFFLINE", "1")
    found = evaluate(study, "org/small", "--suite", "alpaca_eval")
    assert values(found, "alpaca_eval") == of_arm(study, "sft", "alpaca_eval")
    folder = evaluate(study, repository, "--name", "by-folder", "--suite", "alpaca_eval")
    assert values(folder, "alpaca_eval") == values(found, "alpaca_eval")
    with Store.open(study.home / "store.sqlite", create=False) as store:
        rows = {row.name: row.external for row in leaderboard(store, "tiny").rows}
    assert rows["small"] == f"org/small on the hub at {SHA[:12]}"


def save_adapter(base: Path, out: Path, names: str | None = None) -> Path:
    """A LoRA adapter of two of its base's layers, whose product is not zero."""
    import torch
    from peft import LoraConfig, get_peft_model

    from trainers.models import load_model

    torch.manual_seed(0)
    adapted = get_peft_model(
        load_model(base), LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    )
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.5)
    adapted.peft_config["default"].base_model_name_or_path = names
    adapted.save_pretrained(str(out))
    return out


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def sharded(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))


def cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def short(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 8}))


def no_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_template, "has no chat template: add one as chat_template.jinja"),
        (pickled, "its weights are pickled (pytorch_model.bin), which can run code when they are read"),
        (sharded, "1 of 2 files of weights are missing, such as model-00002-of-00002.safetensors"),
        (cut, "no whole safetensors file"),
        (short, "its context of 8 tokens is too short for alpaca_eval: 19 of 20 prompts fill it, the longest with"),
        (without("config.json"), "no checkpoint: there is no config.json in it"),
        (without("model.safetensors"), "there are no weights (*.safetensors) in it"),
    ],
)
def test_a_checkpoint_that_cannot_be_evaluated(study: Finished, spoil: Callable[[Path], None], said: str) -> None:
    folder = study.home.parent / "spoilt"
    shutil.copytree(study.artifact("base") / "model", folder)
    spoil(folder)
    refused(study, folder, said=said)


def test_targets_that_cannot_be_evaluated(study: Finished, tmp_path: Path) -> None:
    base = study.artifact("base") / "model"
    adapter = save_adapter(base, tmp_path / "adapter")
    other = tmp_path / "other"
    shutil.copytree(base, other)
    widen(other)
    refused(
        study,
        adapter,
        "--base",
        other,
        said="adapter is an adapter of another base: its model.layers.0.self_attn.q_proj is",
    )
    refused(
        study, save_adapter(base, tmp_path / "named", names="/nowhere/base"), said="give its folder or hub id by --base"
    )
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    refused(study, adapter, said="its weights are pickled (adapter_model.bin)")
    refused(study, "openai:m@http://127.0.0.1:9/v1", said="127.0.0.1:9 cannot be reached")
    refused(study, "openai:m@ftp://somewhere", said="base_url must be an address such as http://127.0.0.1:8000/v1")
    refused(study, "openai:", said="openai:MODEL@BASE_URL is wanted")
    refused(
        study, base, "--suite", "speed", said="--suite speed: tiny has no such suite; it has alpaca_eval, mt_bench,"
    )
    refused(study, base, "--compare-with", "spin", said="--compare-with spin: tiny has no such row; it has base, sft,")
    refused(study, base, "--name", "sft", said="sft: tiny has a row of this name; give another by --name")
    refused(study, base, "--base", base, said="--base is not for")
    refused(study, tmp_path / "nothing", said="no such file or folder")
    refused(study, base, "--outputs", "x.json", said="--outputs is for stored judgments and answers")
    rows = json.loads((study.artifact("generate") / "outputs.json").read_text())
    (tmp_path / "few.json").write_text(json.dumps(rows[1:]))
    refused(study, tmp_path / "few.json", said="few.json answers 19 of 20 instructions; the first without an answer: ")
    refused(study, tmp_path / "few.json", "--suite", "probes", said="cannot be asked by it; it can by alpaca_eval")
    (tmp_path / "odd.json").write_text('[{"text": "hello"}]')
    refused(study, tmp_path / "odd.json", said="no file of answers: rows with instruction, output and generator")


def widen(folder: Path) -> None:
    """Another base: a model of the same family, twice as wide."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder)
    config.hidden_size *= 2
    config.head_dim *= 2
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def refused(study: Finished, *arguments: object, said: str) -> None:
    """One line, exit code 2, and nothing that was begun."""
    before = sorted((study.home / "artifacts").iterdir())
    done = bridgebench("evaluate", *arguments, "--profile", study.profile, "--home", study.home, "--here")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("bridgebench: ")
    assert sorted((study.home / "artifacts").iterdir()) == before
