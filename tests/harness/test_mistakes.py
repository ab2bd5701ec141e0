"""What a user can get wrong: one clear line, exit code 2, and nothing that was begun."""

import os
import subprocess
from pathlib import Path

import pytest

from results.text import plain
from tests.eval_suites.tiny import needs_vllm
from tests.harness.studies import BRIDGEBENCH, ROOT, TINY, Change, Command, edited, write_profile
from trainers.datasets.adapters import ADAPTERS
from trainers.objectives import objectives

SHIPPED = ", ".join(sorted(path.stem for path in (ROOT / "harness" / "profiles").glob("*.yaml")))
UNSET = "BRIDGEBENCH_TEST_UNSET"
LOCAL = "judge: {model: microworld-judge-1, concurrency: 2}"
SFT = "sft: {steps: [{objective: sft, data: demonstrations, budget: short, learning_rate: 1.0e-3}]}"
DFT = "dft: {steps: [{objective: dft, data: demonstrations, budget: short, learning_rate: 1.0e-3}]}"
ROWS = "world:ultrachat_200k/train_sft.jsonl"
DATASETS = "demonstrations, preferences, held-out-demonstrations"
SHAPE = edited()[edited().index('tokenizer: "world:tokenizer"') : edited().index("  pretrain:")].rstrip()
BASE = edited()[edited().index("base:\n") : edited().index("data:\n  demonstrations")]
KNOWN_COLUMNS = (
    "alpaca_eval/win_rate_unofficial, alpaca_eval/average_length, alpaca_eval/termination_rate, "
    "alpaca_eval/average_tokens, probes/held_out_nll, probes/kl_to_base, probes/pair_accuracy, training/clamped_items"
)
ONE = "a list is a sweep, of two values or more; write one value without brackets"
SWEEP = ("learning_rate: 1.0e-3}", "learning_rate: [1.0e-3, 3.0e-4]}")
HELD_OUT = ("  demonstrations:\n", "  demonstrations:\n    validation: 8\n")
TWICE = f'  more: {{max_length: 128, sources: [{{adapter: ultrachat, file: "{ROWS}", skip: 60}}]}}\n'
AGAIN = (
    "  again: {steps: [dft, {objective: sft, data: demonstrations, budget: short, learning_rate: [1.0e-3, 3.0e-4]}]}\n"
)
LONG, TOO_LONG = "x" * 900, "a name has at most 200 characters"
NAME = "a name has small letters, digits and . + - only, and no sign comes first"


def line_of(start: str) -> int:
    """The number, from 1, of the first line of the tiny profile that begins so."""
    return next(i for i, line in enumerate(edited().splitlines(), start=1) if line.startswith(start))


# What is changed in the tiny profile, and the line that says so.
MISTAKES: dict[str, tuple[list[Change], str]] = {
    # --- keys and values
    "unknown key": ([("seeds:", "extra: 1\nseeds:")], "extra: no such key"),
    "misspelt key": ([("title:", "titel:")], "titel: no such key; title is missing"),
    "key of a step": (
        [("{objective: sft,", "{objectiv: sft,")],
        "methods.sft.steps.0.objectiv: no such key; objective is missing",
    ),
    "misspelt setting": (
        [
            (
                "data: preferences, budget: short, learning_rate: 1.0e-3",
                "data: preferences, budget: short, learning_rate: 1.0e-3, settings: {betta: 1}",
            )
        ],
        "methods.sft+dpo.steps.1.settings.betta: no such key; there are beta, divergence, alpha",
    ),
    "key of the world": ([("documents:", "document:")], "world.document: no such key"),
    "missing key": ([(", learning_rate: 1.0e-3}]}", "}]}")], "methods.sft.steps.0.learning_rate: is missing"),
    "no number": (
        [("learning_rate: 1.0e-3", "learning_rate: 1e-5x")],
        "methods.sft.steps.0.learning_rate: '1e-5x': not a number",
    ),
    "learning rate zero": (
        [("learning_rate: 1.0e-3", "learning_rate: 0")],
        "methods.sft.steps.0.learning_rate: 0: input should be greater than 0",
    ),
    "half a document": (
        [("documents: 400", "documents: 400.5")],
        "world.documents: 400.5: input should be a valid integer, got a number with a fractional part",
    ),
    "unknown choice": (
        [("short: {", "short: {schedule: cosin, ")],
        "budgets.short.schedule: 'cosin': input should be 'cosine', 'linear' or 'constant'",
    ),
    "no list": ([("seeds: [0, 1]", "seeds: 3")], "seeds: 3: a list is wanted"),
    "no seed": ([("seeds: [0, 1]", "seeds: []")], "seeds: is empty"),
    "seed twice": ([("seeds: [0, 1]", "seeds: [0, 1, 0]")], "seeds: 0 stands twice"),
    "no step": ([(DFT, "dft: {steps: []}")], "methods.dft.steps: is empty"),
    "name of the study": ([("name: tiny", "name: My Study")], f"name: 'My Study': {NAME}"),
    "name of a method": ([("  dft:", "  DFT low:")], f"methods.DFT low: 'DFT low': {NAME}"),
    "long name of the study": ([("name: tiny", f"name: {LONG}")], f"name: {plain(repr(LONG), 200)}: {TOO_LONG}"),
    "long name of a method": (
        [("  dft:", f"  {LONG}:")],
        f"methods.{plain(LONG, 200)}: {plain(repr(LONG), 200)}: {TOO_LONG}",
    ),
    "empty vocabulary": (
        [('tokenizer: "world:tokenizer"', "tokenizer: 0")],
        "base.tokenizer: 0: input should be greater than or equal to 512",
    ),
    "two bases": (
        [('tokenizer: "world:tokenizer"', "checkpoint: somewhere")],
        "base: a base has either a 'checkpoint' or a 'shape'",
    ),
    "tokenizer of a checkpoint": (
        [(SHAPE, "checkpoint: somewhere")],
        "base: a base with a 'checkpoint' has a tokenizer and was trained: leave both out",
    ),
    "a line that is too long": (
        [("seeds: [0, 1]", "seeds: [0, 1]\npacking: 8192")],
        "'packing': a line of 8192 is more than 'micro_batch_tokens', 4096",
    ),
    "nothing to divide among": (
        [("seeds: [0, 1]", "seeds: [0, 1]\nsharding: true")],
        "'sharding' divides a model among 'devices', of which there is 1",
    ),
    "heads": (
        [("hidden: 32", "hidden: 30")],
        "base.shape: hidden=30 is no multiple of twice heads=2, and every head needs an even width",
    ),
    "negative seed": (
        [("seeds: [0, 1]", "seeds: [0, -1]")],
        "seeds.1: -1: input should be greater than or equal to 0",
    ),
    "infinite learning rate": (
        [("learning_rate: 1.0e-3", "learning_rate: .inf")],
        "methods.sft.steps.0.learning_rate: inf: input should be a finite number",
    ),
    "infinite setting": (
        [("{objective: dpo,", "{objective: dpo, settings: {beta: .inf},")],
        "methods.sft+dpo.steps.1.settings.beta: inf: input should be a finite number",
    ),
    "two places": (
        [(f'file: "{ROWS}"', f'file: "{ROWS}", hub: a/b')],
        "data.demonstrations.sources.0: a source has either 'file' or 'hub'",
    ),
    "row longer than the context": (
        [("  demonstrations:\n    max_length: 128", "  demonstrations:\n    max_length: 512")],
        "data.demonstrations.max_length: 512 is more than base.shape.context=256",
    ),
    "answer longer than the context": (
        [("max_new_tokens: 16", "max_new_tokens: 257")],
        "suites.alpaca_eval.sampling.max_new_tokens: 257 is more than base.shape.context=256",
    ),
    # --- engines and boards
    "devices of an engine that has one": (
        [("seeds: [0, 1]", "seeds: [0, 1]\nengine: {tensor_parallel: 2}")],
        "engine: 'tensor_parallel' is for kind: vllm; a Hugging Face engine runs on one device",
    ),
    "adapters of a layer that is the embedding too": (
        [("seeds: [0, 1]", "seeds: [0, 1]\nlora: {rank: 4, alpha: 8, targets: [q_proj, lm_head]}")],
        "lora.targets: 'lm_head' is the output layer, and its weights are the input embedding's too, which the merged "
        "adapters would change as well: leave it out",
    ),
    "adapters of no layer": (
        [("seeds: [0, 1]", "seeds: [0, 1]\nlora: {rank: 4, alpha: 8, targets: [qkv_proj]}")],
        "lora.targets: the model has no linear layer 'qkv_proj'; it has down_proj, gate_proj, k_proj, lm_head, o_proj, "
        "q_proj, up_proj, v_proj",
    ),
    # --- YAML
    "key twice": (
        [("seeds: [0, 1]", "seeds: [0, 1]\nseeds: [2]")],
        f"line {line_of('seeds:') + 1}: key 'seeds' stands twice",
    ),
    "method twice": ([("  dft:", "  sft:")], f"line {line_of('  dft:')}: key 'sft' stands twice"),
    "open bracket": (
        [("seeds: [0, 1]", "seeds: [0, 1")],
        f"line {line_of('world:')}: expected ',' or ']', but got ':'",
    ),
    # --- names of other parts
    "unknown objective": (
        [("objective: dft", "objective: dtf")],
        f"methods.dft.steps.0.objective: there is no objective 'dtf'; there are {', '.join(objectives())}",
    ),
    "unknown setting": (
        [("objective: dft,", "objective: dft, settings: {beta: 0.1},")],
        "methods.dft.steps.0.settings.beta: no such key; there are weight",
    ),
    "unknown dataset": (
        [("objective: dft, data: demonstrations", "objective: dft, data: demos")],
        f"methods.dft.steps.0.data: there is no dataset 'demos'; there are {DATASETS}",
    ),
    "unknown budget": (
        [("data: preferences, budget: short", "data: preferences, budget: long")],
        "methods.sft+dpo.steps.1.budget: there is no budget 'long'; there are short",
    ),
    "unknown method": (
        [("steps: [sft, {", "steps: [stf, {")],
        "methods.sft+dpo.steps.0: there is no method 'stf'; there are sft, dft, sft+dpo",
    ),
    "method below": (
        [(SFT, "sft: {steps: [dft]}")],
        "methods.sft.steps.0: method 'dft' must be written above 'sft', which builds on it",
    ),
    "method called base": (
        [(DFT, DFT.replace("dft:", "base:"))],
        "methods.base: this name is the base model's own row; choose another",
    ),
    "unknown adapter": (
        [("adapter: ultrachat,", "adapter: ultrachatt,")],
        f"data.demonstrations.sources.0: {ROWS}: unknown adapter 'ultrachatt'; there are {', '.join(ADAPTERS)}",
    ),
    "no folder": (
        [(BASE, "base: {checkpoint: ./models/mine}\n\n")],
        "./models/mine: no such file or folder",
    ),
    "unknown main column": (
        [("main: alpaca_eval/win_rate_unofficial", "main: alpaca_eval/win_rate")],
        f"leaderboard.main: there is no column 'alpaca_eval/win_rate'; there are {KNOWN_COLUMNS}",
    ),
    "a claim's metric that nothing scores": (
        [
            (
                "leaderboard:",
                "claims: {instruction: [alpaca_eval/win_rate_unofficial, alpaca_eval/nonsense]}\nleaderboard:",
            )
        ],
        f"claims.instruction: there is no column 'alpaca_eval/nonsense'; there are {KNOWN_COLUMNS}",
    ),
    "pairs for demonstrations": (
        [("objective: dft, data: demonstrations", "objective: dft, data: preferences")],
        "methods.dft.steps.0.data: objective 'dft' learns from records of type demonstration or document, "
        "and the dataset has the type pair",
    ),
    "demonstrations for pairs": (
        [("data: preferences, budget", "data: demonstrations, budget")],
        "methods.sft+dpo.steps.1.data: objective 'dpo' learns from records of type pair, "
        "and the dataset has the type demonstration",
    ),
    "probe of the wrong kind": (
        [("{demonstrations: held-out-demonstrations}", "{demonstrations: preferences}")],
        "suites.probes.demonstrations: dataset 'preferences' has records of type pair, and demonstration is wanted",
    ),
    "unknown baseline": (
        [("baseline: sft}", "baseline: stf}")],
        "leaderboard.baseline: there is no method 'stf'; there are base, sft, dft, sft+dpo",
    ),
    # --- sweeps
    "sweep without held-out records": (
        [SWEEP],
        "methods.sft.steps.0: a sweep is decided by held-out records; write how many into data.demonstrations, such as "
        "'validation: 200'",
    ),
    "sweep of one": (
        [("learning_rate: 1.0e-3}", "learning_rate: [1.0e-3]}")],
        f"methods.sft.steps.0.learning_rate: {ONE}",
    ),
    "sweep of nothing": (
        [HELD_OUT, ("{objective: sft,", "{objective: sft, settings: {beta: []},")],
        f"methods.sft.steps.0.settings.beta: {ONE}",
    ),
    "learning rate twice": (
        [HELD_OUT, ("learning_rate: 1.0e-3}", "learning_rate: [1.0e-3, 3.0e-4, 0.001]}")],
        "methods.sft.steps.0.learning_rate: 0.001 stands twice",
    ),
    "learning rate zero in a sweep": (
        [HELD_OUT, ("learning_rate: 1.0e-3}", "learning_rate: [1.0e-3, 0]}")],
        "methods.sft.steps.0.learning_rate.1: 0: input should be greater than 0",
    ),
    "list in a list": (
        [HELD_OUT, ("learning_rate: 1.0e-3}", "learning_rate: [1.0e-3, [3.0e-4]]}")],
        "methods.sft.steps.0.learning_rate.1: input should be a valid number",
    ),
    "setting of a sweep": (
        [
            ("  preferences:\n", "  preferences:\n    validation: 8\n"),
            ("{objective: dpo,", "{objective: dpo, settings: {beta: [0.1, -1]},"),
        ],
        "methods.sft+dpo.steps.1.settings.beta: -1: input should be greater than 0",
    ),
    "negative validation": (
        [("  demonstrations:\n", "  demonstrations:\n    validation: -1\n")],
        "data.demonstrations.validation: -1: input should be greater than or equal to 0",
    ),
    "validation of pretraining": (
        [("    data:\n      max_length: 128\n", "    data:\n      max_length: 128\n      validation: 8\n")],
        "base.pretrain.data.validation: nothing is swept in pretraining; leave it out",
    ),
    "validation of a probe": (
        [("  held-out-demonstrations:\n", "  held-out-demonstrations:\n    validation: 8\n")],
        "data.held-out-demonstrations.validation: suites.probes.demonstrations reads the whole of "
        "'held-out-demonstrations'; leave it out",
    ),
    "validation rows that were trained on": (
        [
            HELD_OUT,
            ("  preferences:\n", f"{TWICE}  preferences:\n"),
            ("dft: {steps: [{objective: dft, data: demonstrations", "dft: {steps: [{objective: dft, data: more"),
            ("  sft+dpo:", f"{AGAIN}  sft+dpo:"),
        ],
        "methods.again: the sweep on 'demonstrations' is decided by some of its records, and data.more, which is "
        f"trained on before, has rows of {ROWS} that it has; give each its own rows by 'skip' and 'limit'",
    ),
    # --- budgets
    "unmatched comparison": (
        [("[sft, dft]", "[sft, sft+dpo]")],
        "comparisons.instruction: budgets are not matched; responses seen: sft 64, sft+dpo 128",
    ),
    "unmatched batch": (
        [
            ("  short: {", "  wide: {responses: 64, global_batch: 32}\n  short: {"),
            (
                "objective: dft, data: demonstrations, budget: short",
                "objective: dft, data: demonstrations, budget: wide",
            ),
        ],
        "comparisons.instruction: budgets are not matched; batch, schedule and warm-up: "
        "sft 16 cosine 0.1, dft 32 cosine 0.1",
    ),
    "a method with a check's name": (
        [
            ("    judge: {model", "    tamper_checks: true\n    judge: {model"),
            ("  dft: {steps", "  null-model: {steps"),
            ("[sft, dft]", "[sft, null-model]"),
        ],
        "methods.null-model: a row of suites.alpaca_eval.tamper_checks has this name; choose another",
    ),
    "difficulties of another judge": (
        [("    judge: {model", "    difficulty: table.json\n    judge: {model")],
        "suites.alpaca_eval.difficulty: is of AlpacaEval 2's own judge in its own order, not of the local judge",
    ),
    "difficulties of another public judge": (
        [(LOCAL, "difficulty: table.json\n    judge: {model: gpt-4o}")],
        "suites.alpaca_eval.difficulty: is of AlpacaEval 2's own judge in its own order, not of gpt-4o with "
        "{'max_tokens': 1, 'temperature': 1.0, 'logprobs': True, 'top_logprobs': 5}",
    ),
    "difficulties of both orders": (
        [(LOCAL, "difficulty: table.json\n    both_orders: true\n    judge: {model: gpt-4-1106-preview}")],
        "suites.alpaca_eval.difficulty: is of AlpacaEval 2's own judge in its own order, not of both orders",
    ),
    "covariates of a part": (
        [("    judge: {model", "    covariates: df.csv\n    limit: 4\n    judge: {model")],
        "suites.alpaca_eval.covariates: is of all 805 instructions; leave 'limit' out",
    ),
    "MT-Bench without its references": (
        [("  probes: {", '  mt_bench: {questions: "world:q", judge: {model: m}}\n  probes: {')],
        "suites.mt_bench: 'questions', 'prompts' and 'references' belong together, and only questions is named; name "
        "all, or none to have upstream's",
    ),
    "broken batch": (
        [("responses: 64,", "responses: 70,")],
        "budgets.short: 70 responses are no whole number of batches of 16; 64 responses would be",
    ),
    "odd batch of pairs": (
        [("responses: 64, global_batch: 16", "responses: 45, global_batch: 15")],
        "budgets.short.global_batch: 15 is odd, and a pair is two responses",
    ),
    # --- data
    "held-out set is trained on": (
        [("{demonstrations: held-out-demonstrations}", "{demonstrations: demonstrations}")],
        "suites.probes.demonstrations: 'demonstrations' must be held out, and method 'sft+dpo' trains on it",
    ),
    "held-out rows are trained on": (
        [("world:ultrachat_200k/test_sft.jsonl", ROWS)],
        "suites.probes.demonstrations: 'held-out-demonstrations' must be held out, and data.demonstrations has rows "
        f"of {ROWS} that it has",
    ),
    "no world": (
        [(edited()[edited().index("world:\n") : edited().index("base:\n")], "")],
        "world: is missing, and a path begins with 'world:'",
    ),
    "local judge without a world": (
        [
            (edited()[edited().index("world:\n") : edited().index("base:\n")], ""),
            *[("world:", "")] * 8,
        ],
        "suites.alpaca_eval.judge.model: 'microworld-judge-1' judges in a world, and the profile has none",
    ),
    "no file": ([(ROWS, "nowhere/rows.jsonl")], "nowhere/rows.jsonl: no such file or folder"),
    "unset variable": (
        [(ROWS, f"${{{UNSET}}}/rows.jsonl")],
        f"${{{UNSET}}}/rows.jsonl: the environment variable {UNSET} is not set; export it or write the path out",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("verb", ["reproduce", "plan"])
def test_a_mistake_in_a_profile_is_one_line(verb: str, mistake: str, tmp_path: Path, bridgebench: Command) -> None:
    changes, line = MISTAKES[mistake]
    ended = bridgebench(verb, str(write_profile(tmp_path, *changes)))
    assert (ended.code, ended.error) == (2, f"bridgebench: study.yaml: {line}\n")
    assert not (tmp_path / "home").exists()


def test_an_empty_profile_is_told_what_one_is(tmp_path: Path, bridgebench: Command) -> None:
    for text in ("", "- a\n", "just words\n"):
        (tmp_path / "study.yaml").write_text(text)
        wanted = "bridgebench: study.yaml: a profile is a mapping with name, seeds, base, data, methods …\n"
        ended = bridgebench("reproduce", str(tmp_path / "study.yaml"))
        assert (ended.code, ended.error) == (2, wanted)


@pytest.mark.parametrize("text", ["title: caf\u00e9".encode("latin-1"), b"title: \x07"], ids=["latin-1", "bell"])
def test_a_profile_that_is_no_text(text: bytes, tmp_path: Path, bridgebench: Command) -> None:
    (tmp_path / "study.yaml").write_bytes(text)
    ended = bridgebench("reproduce", str(tmp_path / "study.yaml"))
    assert ended.code == 2
    assert ended.error.startswith("bridgebench: study.yaml: cannot be read as YAML in UTF-8: ")
    assert ended.error.count("\n") == 1


@pytest.mark.parametrize("verb", ["reproduce", "leaderboard"])
def test_a_home_that_is_a_file(verb: str, tmp_path: Path, bridgebench: Command) -> None:
    (tmp_path / "file").write_text("")
    ended = bridgebench(verb, str(TINY) if verb == "reproduce" else "tiny", "--home", str(tmp_path / "file"))
    wanted = f"bridgebench: --home {tmp_path / 'file'}: is a file, and a folder is wanted\n"
    assert (ended.code, ended.error) == (2, wanted)


def test_a_row_that_does_not_fit_is_named_before_anything_starts(tmp_path: Path, bridgebench: Command) -> None:
    rows = tmp_path / "rows.jsonl"
    good = '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}'
    rows.write_text(f'{good}\n{{"prompt": "x"}}\n')
    ended = bridgebench("reproduce", str(write_profile(tmp_path, (ROWS, str(rows)))), "--here")
    wanted = f"{rows} row 2: field 'messages' is missing; an ultrachat row has messages with role and content"
    assert (ended.code, ended.error) == (2, f"bridgebench: {wanted}\n")
    assert not (tmp_path / "home").exists()


def test_a_judges_key_that_is_not_there_is_named_before_anything_starts(tmp_path: Path, bridgebench: Command) -> None:
    judge = f"judge: {{model: some-judge, api_key_env: {UNSET}}}"
    profile = write_profile(tmp_path, ("judge: {model: microworld-judge-1, concurrency: 2}", judge))
    ended = bridgebench("reproduce", str(profile), "--here")
    wanted = f"bridgebench: the environment variable {UNSET}, which holds the judge's key, is not set\n"
    assert (ended.code, ended.error) == (2, wanted)
    assert not (tmp_path / "home").exists()


def test_instructions_that_are_none_are_named_before_anything_starts(tmp_path: Path, bridgebench: Command) -> None:
    (tmp_path / "questions.json").write_text('[{"question": "why?"}]')
    profile = write_profile(tmp_path, ("world:alpaca_eval/instructions.json", str(tmp_path / "questions.json")))
    ended = bridgebench("reproduce", str(profile), "--here")
    assert ended.code == 2
    assert f"{tmp_path / 'questions.json'}, row 0: the field 'instruction' must be a text; it is missing" in ended.error
    assert not (tmp_path / "home").exists()


MT_BENCH = (
    '  mt_bench: {{questions: "{}", prompts: "{}", references: "world:mt_bench/reference_answer/microworld.jsonl", '
    "sampling: {{max_new_tokens: 16}}, judge: {{model: microworld-judge-1, concurrency: 2}}}}\n  probes: {{"
)
MATH = (
    '  math: {{benchmarks: {{mine: {{file: "{}"}}}}, sampling: {{max_new_tokens: 16, temperature: 1.0}}}}\n  probes: {{'
)


@needs_vllm
@pytest.mark.parametrize(
    ("sampling", "place"),
    [
        ("{max_new_tokens: 16, temperature: 3}", "suites.alpaca_eval.sampling.temperature: temperature 3"),
        ("{max_new_tokens: 16, temperature: 0.001}", "suites.alpaca_eval.sampling.temperature: temperature 0.001"),
    ],
)
def test_a_temperature_that_vllm_refuses_is_named_before_anything_starts(
    sampling: str, place: str, tmp_path: Path, bridgebench: Command
) -> None:
    profile = write_profile(
        tmp_path, ("{max_new_tokens: 16}", sampling), ("seeds: [0, 1]", "seeds: [0, 1]\nengine: {kind: vllm}")
    )
    ended = bridgebench("plan", str(profile))
    wanted = f"bridgebench: study.yaml: {place}: vLLM draws at 0 (greedy) or from 0.01 to 2\n"
    assert (ended.code, ended.error) == (2, wanted)


@pytest.mark.slow
def test_a_board_that_nobody_knows_is_named_before_anything_starts(tmp_path: Path, bridgebench: Command) -> None:
    profile = write_profile(tmp_path, ("groups: [micro_old]", "groups: [micro_old, micro_odd]"))
    ended = bridgebench("plan", str(profile))
    wanted = "lm-eval knows no task or group ['micro_odd']; the boards are open_llm_v1 and open_llm_v2"
    assert (ended.code, ended.error) == (2, f"bridgebench: study.yaml: suites.boards.groups: {wanted}\n")
    assert not (tmp_path / "home").exists()


BOARDS = ('    groups: [micro_old]\n    tasks: "world:open_llm"\n', '    groups: [gsm8k]\n    data: "{}"\n')


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ('{"question": "1 + 1?", "answer": "2"}', "gsm8k/test.jsonl row 1: field 'answer' has no line '#### number'"),
        (None, ": no file of gsm8k there; gsm8k/test.jsonl, bbh/snarks.json or ifeval/input_data.jsonl would be some"),
    ],
)
def test_a_boards_files_are_read_before_anything_starts(
    row: str | None, line: str, tmp_path: Path, bridgebench: Command
) -> None:
    data = tmp_path / "data"
    (data / "gsm8k").mkdir(parents=True)
    (data / "gsm8k" / ("test.jsonl" if row else "other.jsonl")).write_text(f"{row}\n")
    changed = BOARDS[0], BOARDS[1].format(data)
    ended = bridgebench("reproduce", str(write_profile(tmp_path, changed)), "--here")
    assert ended.code == 2
    assert ended.error.startswith(f"bridgebench: {data}") and line in ended.error and ended.error.count("\n") == 1
    assert not (tmp_path / "home").exists()


def test_covariates_are_read_before_anything_starts(tmp_path: Path, bridgebench: Command) -> None:
    (tmp_path / "df_gamed.csv").write_text("index,model\n0,a\n")
    given = f"    covariates: {tmp_path / 'df_gamed.csv'}\n    judge: {{model"
    ended = bridgebench("reproduce", str(write_profile(tmp_path, ("    judge: {model", given))), "--here")
    assert ended.code == 2
    assert ended.error.startswith(f"bridgebench: {tmp_path / 'df_gamed.csv'}: the columns preference, std_delta_len, ")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "suite",
    [
        MT_BENCH.format("{0}", "world:mt_bench/judge_prompts.jsonl"),
        MT_BENCH.format("world:mt_bench/question.jsonl", "{0}"),
        MATH.format("{0}"),
    ],
    ids=["questions", "prompts", "problems"],
)
def test_a_suites_files_are_read_before_anything_starts(suite: str, tmp_path: Path, bridgebench: Command) -> None:
    given = tmp_path / "given.jsonl"
    given.write_text('{"question_id": 1}\n')
    profile = write_profile(tmp_path, ("  probes: {", suite.replace("{0}", str(given))))
    ended = bridgebench("reproduce", str(profile), "--here")
    assert ended.code == 2
    assert ended.error.startswith(f"bridgebench: {given}") and ended.error.count("\n") == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("profile", "line"),
    [
        ("nowhere.yaml", "profile nowhere.yaml: no such file"),
        ("mikro", f"there is no profile 'mikro'; there are {SHIPPED}; a file of your own ends in .yaml"),
    ],
)
def test_a_profile_that_is_not_there(profile: str, line: str, tmp_path: Path, bridgebench: Command) -> None:
    ended = bridgebench("reproduce", profile)
    assert (ended.code, ended.error) == (2, f"bridgebench: {line}\n")
    assert not (tmp_path / "home").exists()


def test_a_leaderboard_of_a_study_that_never_ran(tmp_path: Path, bridgebench: Command) -> None:
    ended = bridgebench("leaderboard", "tiny")
    assert ended.code == 2
    assert ended.error.startswith("bridgebench: ")
    assert ended.error.count("\n") == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.slow
@pytest.mark.end_to_end
def test_more_devices_than_there_are_is_refused_before_any_stage_runs(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ("devices: 2", "devices: 64"))
    command = [str(BRIDGEBENCH), "reproduce", str(profile), "--home", str(tmp_path / "home")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    cores = os.cpu_count()
    assert done.stderr == (
        f"bridgebench: base pretraining wants 64 CPUs and the cluster has {cores}: it could never start; "
        "ask for fewer devices in the profile or give Ray more\n"
    )
    assert done.returncode == 2
    assert not (tmp_path / "home" / "artifacts").exists()
