"""A target is looked at before any work: what could not be evaluated is said at once, in one line."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.board import Board
from harness.home import Home
from harness.kinds.given_answers import answers_to
from harness.plan import ProfilePlanner, in_order
from harness.profile import Profile
from harness.stage import External, Input, Produced
from harness.suites.mt_bench import files_of
from harness.targets import Adapter, Answers, Endpoint, Target, Weights
from results.errors import UserError

PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl")


def check_before(
    planner: ProfilePlanner, target: Target, name: str, home: Home, asked: Sequence[str]
) -> dict[str, str]:
    """Looks at a target as the suites of a study will; returns those that it cannot be asked by, with the reason.

    name:  of its row
    asked: the suites that are asked for; nothing for all
    Raises UserError for what could not be evaluated.
    """
    profile = planner.profile
    base = _here(Produced(planner.base, "model"), home)
    check_target(target, base)
    if isinstance(target, Endpoint):
        return {}
    if isinstance(target, Answers):
        _check_answers(planner, target, home)
        return {}
    weights = target if isinstance(target, Weights) else target.base
    folder = base if weights is None else weights.folder
    if folder is None:
        return {}
    for suite in asked or profile.suites.asked:
        check_prompts(folder, name, _turns(planner, suite, home), suite)
    if profile.suites.probes is None or (asked and "probes" not in asked):
        return {}
    if weights is not None and (base is None or not same_tokens(folder, base)):
        why = "has still to be made" if base is None else "has another tokenizer"
        return {"probes": f"they read the tokens of the study's base, which {why}"}
    check_datasets(folder, name, profile)
    return {}


def _check_answers(planner: ProfilePlanner, target: Answers, home: Home) -> None:
    """Raises UserError where a file does not answer what its suite asks, as far as that is here."""
    from eval_suites.mt_bench_files import check_answered, read_answers, read_questions

    suites = planner.profile.suites
    if target.suite == "alpaca_eval" and suites.alpaca_eval is not None:
        instructions = _here(planner.place(suites.alpaca_eval.instructions), home)
        if instructions is not None:
            answers_to(instructions, target.file, suites.alpaca_eval.limit)
    if target.suite == "mt_bench" and suites.mt_bench is not None:
        answers = read_answers(target.file)
        questions = _here(files_of(suites.mt_bench, planner)["questions"], home)
        if questions is not None:
            check_answered(read_questions(questions, suites.mt_bench.limit), answers, target.file.name)


def _turns(planner: ProfilePlanner, suite: str, home: Home) -> list[str]:
    """The first requests of a suite that a chat begins with, where they are here."""
    from eval_suites.alpaca_files import read_instructions
    from eval_suites.mt_bench_files import read_questions

    suites = planner.profile.suites
    if suite == "alpaca_eval" and suites.alpaca_eval is not None:
        place = _here(planner.place(suites.alpaca_eval.instructions), home)
        rows = read_instructions(place)[: suites.alpaca_eval.limit] if place else []
        return [row["instruction"] for row in rows]
    if suite == "mt_bench" and suites.mt_bench is not None:
        place = _here(files_of(suites.mt_bench, planner)["questions"], home)
        return [question.turns[0] for question in read_questions(place, suites.mt_bench.limit)] if place else []
    return []


def _here(item: Input, home: Home) -> Path | None:
    """Where an input lies; None where it has still to be made."""
    if isinstance(item, External):
        return item.location
    manifest = Board(in_order([item.stage]), home.artifacts)[item.stage].manifest
    return None if manifest is None else home.artifacts.folder(manifest.kind, manifest.key) / item.path


def check_target(target: Target, base: Path | None) -> None:
    """Raises UserError where the files of a target are not what they should be, or an endpoint does not answer.

    base: the folder of the study's own base, None where it has still to be made
    """
    match target:
        case Weights():
            check_checkpoint(target.folder, target.complete)
        case Adapter():
            _check_adapter(target, base)
        case Endpoint():
            from eval_suites.endpoint_check import check_endpoint

            check_endpoint(target.spec)


def check_checkpoint(folder: Path, complete: bool) -> None:
    """Raises UserError where a folder is no checkpoint that can be loaded without unpickling, or cannot chat.

    complete: whether its weights must all be there; of a model on the hub they are fetched later
    """
    from eval_suites.adapter_shapes import read_shapes
    from trainers.chat import load_tokenizer

    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: no checkpoint: there is no config.json in it")
    weights = sorted(folder.glob("*.safetensors"))
    pickled = [path.name for pattern in PICKLED for path in sorted(folder.glob(pattern))]
    if not weights and pickled:
        raise UserError(
            f"{folder}: its weights are pickled ({pickled[0]}), which can run code when they are read: save them as "
            "safetensors (model.save_pretrained writes them)"
        )
    if not weights and complete:
        raise UserError(f"{folder}: no checkpoint: there are no weights (*.safetensors) in it")
    if complete:
        _check_shards(folder)
        read_shapes(folder)
    load_tokenizer(folder)


def context_of(folder: Path) -> int | None:
    """The most tokens that a checkpoint reads at once; None where its config names no number."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    found = config.get("max_position_embeddings") or (config.get("text_config") or {}).get("max_position_embeddings")
    return int(found) if found else None


def check_prompts(folder: Path, name: str, texts: Iterable[str], suite: str) -> None:
    """Raises UserError where a prompt fills the context of a model. texts: the users' turns."""
    from trainers.chat import load_tokenizer, prompt_ids
    from trainers.records import Message

    context = context_of(folder)
    if context is None:
        raise UserError(f"{name}: its config.json names no context length: set max_position_embeddings")
    tokenizer = load_tokenizer(folder)
    lengths = [len(prompt_ids(tokenizer, [Message(role="user", content=text)])) for text in texts]
    if lengths and max(lengths) >= context:
        long = sum(length >= context for length in lengths)
        raise UserError(
            f"{name}: its context of {context} tokens is too short for {suite}: {long} of {len(lengths)} prompts fill "
            f"it, the longest with {max(lengths)} tokens"
        )


def check_datasets(folder: Path, name: str, profile: Profile) -> None:
    """Raises UserError where rows that the probes read are longer than the context of a model."""
    probes, context = profile.suites.probes, context_of(folder)
    for dataset in () if probes is None else filter(None, (probes.demonstrations, probes.pairs)):
        longest = profile.data[dataset].max_length
        if context is not None and longest > context:
            raise UserError(
                f"{name}: its context of {context} tokens is too short for the probes: rows of {dataset} have up to "
                f"{longest}; leave the probes out by --suite"
            )


def same_tokens(folder: Path, base: Path) -> bool:
    """Whether a model reads the tokens of the study's base, so that token ids mean the same to both."""
    return all(_read(folder / file) == _read(base / file) for file in ("tokenizer.json", "tokenizer.model"))


def _check_adapter(target: Adapter, base: Path | None) -> None:
    from eval_suites.adapter_shapes import check_fits

    if not (target.folder / "adapter_model.safetensors").is_file():
        pickled = [path.name for pattern in PICKLED for path in sorted(target.folder.glob(pattern))]
        if pickled:
            raise UserError(
                f"{target.folder}: its weights are pickled ({pickled[0]}): save it as adapter_model.safetensors"
            )
    if target.base is not None:
        check_checkpoint(target.base.folder, target.base.complete)
        base = target.base.folder
    if base is not None and any(base.glob("*.safetensors")):
        check_fits(target.folder, base)


def _check_shards(folder: Path) -> None:
    """Raises UserError where the index of the weights names files that are not there."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    try:
        named: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{index}: no index of weights: a JSON object with 'weight_map' is wanted") from None
    wanted = sorted(set(map(str, named.values())))
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder}: {len(missing)} of {len(wanted)} files of weights are missing, such as {missing[0]}: fetch them"
        )


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
