"""Every command of the README and the pages is run as it is written, on a small study that is called `micro` here.

What is put in place of what a page writes:
- the profile `micro` (also where it is the default) is the file micro.yaml: the same names, a model that learns nothing
- files and models that a page names are made before (my_loss.py by the page's own command); the endpoint is served here
- a line with … says the shape of a command, and some want the public files: SHAPES has a command for each
What cannot run here is in NOT_HERE, with the reason, which is checked.
"""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eval_suites.engine import Sampling
from eval_suites.huggingface import HuggingFaceEngine
from tests.end_to_end.command import ENVIRONMENT
from tests.end_to_end.conftest import Finished
from tests.end_to_end.test_targets import SHA, save_adapter
from tests.eval_suites.judge_server import completion, judge_server
from tests.harness.studies import BRIDGEBENCH, ROOT
from tests.real_data import REAL_DATA
from trainers.chat import load_tokenizer, prompt_ids
from trainers.records import Message

pytestmark = [pytest.mark.slow, pytest.mark.end_to_end]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*bridgebench ")
MODELS = sorted((REAL_DATA / "alpaca_eval" / "models").glob("*"))
SHAPES = {
    "bridgebench difficulty vicuna-7b=vicuna/annotations.json gemma-2b-it=gemma/annotations.json … --out table.json": (
        f"bridgebench difficulty {' '.join(f'{one.name}={one}/annotations.json.gz' for one in MODELS)} --out table.json"
    ),
    # a table is for the official judge's annotations, which the small study's are not
    "bridgebench evaluate --suite alpaca_eval --outputs model_outputs.json --annotations annotations.json "
    "--difficulty table.json": (
        f"bridgebench evaluate --suite alpaca_eval --outputs {REAL_DATA}/alpaca_eval/models/vicuna-7b/"
        f"model_outputs.json.gz --annotations {REAL_DATA}/alpaca_eval/models/vicuna-7b/annotations.json.gz "
        "--difficulty table.json"
    ),
    "bridgebench store query 'SELECT …'": "bridgebench store query 'SELECT name FROM profiles'",
    "BRIDGEBENCH_REAL_DATA=… bridgebench reproduce real-rows": (
        f"BRIDGEBENCH_REAL_DATA={REAL_DATA} bridgebench plan real-rows"
    ),
}
REPLACED = (
    ("http://127.0.0.1:8000/v1", "{server}"),
    ("--to FOLDER", "--to exported"),
    (" reproduce micro", " reproduce micro.yaml"),
    (" plan micro", " plan micro.yaml"),
    (" doctor micro", " doctor micro.yaml"),
    ("--profile micro ", "--profile micro.yaml "),
    (" judge list micro", " judge list micro.yaml"),
)
STORED = ("--annotations", "--answers")
# A part of a command, why it cannot run here, and whether that is so.
NOT_HERE = (
    (
        "gpt-4_pair.jsonl",
        "no stored judgments of pairs are at hand",
        not list(REAL_DATA.glob("mt_bench/judged/*pair*")),
    ),
    ("difficulty vicuna-7b=", "wants the public annotations", not REAL_DATA.is_dir()),
    ("--difficulty table.json", "wants the table of the public annotations", not REAL_DATA.is_dir()),
    ("gpt-4_single.jsonl", "wants the public benchmark files", not REAL_DATA.is_dir()),
    ("ifeval", "wants the public benchmark files", not REAL_DATA.is_dir()),
    ("reproduce real-rows", "wants the public benchmark files", not REAL_DATA.is_dir()),
)


def commands(page: Path) -> list[str]:
    """The lines of a page's code blocks that call the command, without the remarks behind them."""
    found, fenced = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        fenced ^= line.startswith("```")
        if (fenced or line.startswith("    ")) and COMMAND.match(line.strip()):
            found.append(re.sub(r"\s+# .*$", "", line.strip()))
    return found


def test_the_pages_have_commands() -> None:
    found = {page.name: len(commands(page)) for page in PAGES}
    assert found["README.md"] >= 8
    assert found["tutorial.md"] >= 12


def as_run_here(command: str, server: str) -> list[str]:
    """The words of a command after the replacements."""
    text = SHAPES.get(command, command)
    assert "…" not in text, f"{command}: is a shape, and SHAPES has no command for it"
    text += " "
    for written, here in REPLACED:
        text = text.replace(written, here.format(server=server))
    words = shlex.split(text)
    verb = words[words.index("bridgebench") + 1]
    model = verb == "evaluate" and not any(option in words for option in STORED)
    if (verb in ("run", "new-objective") or model) and "--profile" not in words:
        words += ["--profile", "micro.yaml"]
    return [*words, "--here"] if verb in ("run", "reproduce") or model else words


MICRO = (
    ("name: tiny", "name: micro"),
    ("  short: {", "  instruction: &short {"),
    ("  sft: {", "  sft-1e-3: {"),
    ("  sft+dpo: {steps: [sft,", "  sft-1e-3+dpo: {steps: [sft-1e-3,"),
    ("instruction: [sft, dft]", "instruction: [sft-1e-3, dft]"),
    (
        "baseline: sft}",
        "baseline: sft-1e-3}\nclaims: {sft: sft-1e-3, dft: dft, instruction: alpaca_eval/win_rate_unofficial}",
    ),
)


@pytest.fixture
def place(study: Finished, tmp_path: Path) -> Path:
    """A folder with all that the pages name, in which commands are run."""
    text = study.profile.read_text()
    for old, new in MICRO:
        assert old in text
        text = text.replace(old, new)
    text = text.replace("budget: short", "budget: instruction").replace(
        "\nmethods:", "  preference: *short\n\nmethods:"
    )
    (tmp_path / "micro.yaml").write_text(text)
    (tmp_path / "mine.yaml").write_text("extends: micro.yaml\nname: mine\n")
    recipe = re.search(r"    steps:\n(?: {6}.*\n)+", (ROOT / "docs" / "tutorial.md").read_text())
    assert recipe is not None
    (tmp_path / "recipe.yaml").write_text(recipe[0].replace("\n    ", "\n").removeprefix("    "))
    base = study.artifact("base") / "model"
    shutil.copytree(base, tmp_path / "checkpoint")
    save_adapter(base, tmp_path / "adapter")
    shutil.copytree(base, tmp_path / "hub" / "models--org--model" / "snapshots" / SHA)
    (tmp_path / "hub" / "models--org--model" / "refs").mkdir()
    (tmp_path / "hub" / "models--org--model" / "refs" / "main").write_text(SHA)
    judged = study.artifact("judge")
    (tmp_path / "annotations.json").write_bytes((judged / "annotations.json").read_bytes())
    answers = json.loads((judged / "manifest.json").read_text())["inputs"]["outputs"]
    for outputs in (study.home / "artifacts" / "generate").glob("*/outputs.json"):
        if json.loads((outputs.parent / "manifest.json").read_text())["files"]["outputs.json"]["sha256"] == answers:
            (tmp_path / "model_outputs.json").write_bytes(outputs.read_bytes())
    if REAL_DATA.is_dir():
        (tmp_path / "question.jsonl").symlink_to(REAL_DATA / "mt_bench" / "question.jsonl")
        import gzip

        single = gzip.decompress((REAL_DATA / "mt_bench" / "judged" / "gpt-4_single.jsonl.gz").read_bytes())
        one = next(iter(json.loads(line)["model"] for line in single.splitlines()))
        own = [line for line in single.splitlines() if json.loads(line)["model"] == one]
        (tmp_path / "gpt-4_single.jsonl").write_bytes(b"\n".join(own))
    done = call(tmp_path, ["bridgebench", "reproduce", "micro.yaml", "--here"])
    assert "every stage is cached" in done.stdout, "names are no part of what a stage is"
    return tmp_path


def call(place: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = ENVIRONMENT | {
        "BRIDGEBENCH_HOME": str(place / "home"),
        "HF_HUB_CACHE": str(place / "hub"),
        "HF_HUB_OFFLINE": "1",
    }
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    return subprocess.run(
        [BRIDGEBENCH, *words[1:]], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.name))
def test_every_command_of_a_page_works(page: Path, place: Path) -> None:
    model = place / "checkpoint"
    tokenizer = load_tokenizer(model)
    with HuggingFaceEngine(model) as engine:

        def respond(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            messages = [Message.model_validate(message) for message in request["messages"]]
            [answer] = engine.generate(
                [prompt_ids(tokenizer, messages)], Sampling(max_new_tokens=request["max_tokens"])
            )
            return 200, completion(answer.text)

        with judge_server(respond) as server:
            for command in commands(page):
                reason = next((why for part, why, true in NOT_HERE if part in command and true), None)
                if reason is None:
                    if "--like" in command:  # the page: without the profile that says how it is trained
                        (place / "my_loss.yaml").unlink()
                    done = call(place, as_run_here(command, server.url))
                    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
                    assert "Traceback" not in done.stderr
