"""A study with all that a page can show: rates, boards, lengths, curves, answers as files, claims, a failed arm."""

import json
import random
from collections.abc import Mapping
from pathlib import Path

from results.claims.table import ClaimTable, claim_table
from results.digest import Json
from results.leaderboard import Leaderboard, leaderboard
from results.page import Behind, read_behind
from results.records import Arm, CurvePoint
from results.rows import Item, Score
from results.store import Store
from tests.results.study import PROFILE, arm, mean_score, record, stage

PROMPTS = 40
SEEDS = range(3)
RATES = {"sft-low": 1e-4, "sft": 1e-3, "sft-high": 1e-2}
# Win rate and board of every arm, in percent: dft is far above the baseline, sft-high far below.
CHANCES = {"base": (50, 80), "sft": (50, 75), "sft-low": (50, 78), "sft-high": (10, 30), "dft": (92, 74)}
SPEC: dict[str, Json] = {
    "title": "A study of everything",
    "methods": {
        **{name: {"steps": [{"objective": "sft", "data": "d", "learning_rate": rate}]} for name, rate in RATES.items()},
        "dft": {"steps": [{"objective": "dft", "data": "d", "learning_rate": 1e-3}]},
        "kto": {"steps": ["sft", {"objective": "kto", "data": "p", "learning_rate": 1e-4}]},
    },
    "leaderboard": {
        "main": "alpaca_eval/win_rate",
        "baseline": "sft",
        "columns": ["board/average", "alpaca_eval/average_length"],
    },
    "claims": {
        "sft": "sft",
        "sft-high": "sft-high",
        "dft": "dft",
        "instruction": "alpaca_eval/win_rate",
        "old-board": "board/average",
        "length": "alpaca_eval/average_length",
    },
}


def fill_page(store: Store, artifacts: Path, answers: Mapping[str, str] | None = None) -> None:
    """Records the study and writes the answers of its arms below `artifacts`; `answers`: other texts for some arms."""
    for name in CHANCES:
        for seed in SEEDS if name != "base" else [0]:
            trained: dict[str, Json] = {"comparisons": ["short"], "responses": 320}
            one = arm(name, seed, **(trained if name != "base" else {"comparisons": [], "responses": 0}))
            _record_scores(store, one)
            _write_answers(store, artifacts, one, (answers or {}).get(name))
            if name != "base":
                _record_training(store, one)
    store.record_arm(arm("kto", 0, "failed", "train kto: no such file", comparisons=["short"], responses=320))
    store.record_profile(PROFILE.model_copy(update={"spec": SPEC}))


def read_page(store: Store, artifacts: Path, baseline: str | None = None) -> tuple[Leaderboard, Behind]:
    """The study's leaderboard and what stands behind it."""
    board = leaderboard(store, PROFILE.digest, baseline=baseline)
    verdicts: ClaimTable | None = claim_table(store, PROFILE.digest)
    return board, read_behind(store, board, verdicts, artifacts)


def _record_scores(store: Store, one: Arm) -> None:
    wins, right = CHANCES[one.name]
    draw = random.Random(f"{one.name} {one.seed}")
    ease = random.Random("what prompts have in common all arms share")
    values = [min(100.0, max(0.0, wins + ease.uniform(-8, 8) + draw.uniform(-4, 4))) for _ in range(PROMPTS)]
    record(store, one, *_numbered(values, "alpaca_eval", "win_rate", "percent", {"judge": "a judge"}))
    lengths = [float(draw.randrange(5, 30)) for _ in range(PROMPTS)]
    record(store, one, *_numbered(lengths, "alpaca_eval", "average_length", "characters", {}))
    tasks = [100.0 * (draw.randrange(100) < right) for _ in range(60)]
    record(store, one, *mean_score(tasks, suite="board", metric="average"))


def _record_training(store: Store, one: Arm) -> None:
    key, draw = f"train-{one.name}-{one.seed}", random.Random(f"{one.name} {one.seed}")
    spec: dict[str, Json] = {"objective": one.name.partition("-")[0]}
    store.record_stage(stage(key, "train").model_copy(update={"spec": spec}), [one])
    losses = [2 / (step + 1) + draw.random() / 9 for step in range(10)]
    store.record_curve(
        key,
        [
            CurvePoint(step=step, examples=32 * step, tokens=100 * step, metric="loss", value=loss)
            for step, loss in enumerate(losses)
        ],
    )


def _numbered(
    values: list[float], suite: str, metric: str, unit: str, detail: dict[str, Json]
) -> tuple[list[Score], list[Item]]:
    """A score whose items say their places in the suite."""
    scores, items = mean_score(values, suite=suite, metric=metric, unit=unit, detail=detail)
    return scores, [item.model_copy(update={"detail": {"index": index}}) for index, item in enumerate(items)]


def _write_answers(store: Store, artifacts: Path, one: Arm, text: str | None) -> None:
    key = f"{one.name}-{one.seed}".encode().hex()
    store.record_stage(stage(key, "generate").model_copy(update={"spec": {"engine": "huggingface"}}), [one])
    folder = artifacts / "generate" / key
    folder.mkdir(parents=True)
    rows = [
        {"instruction": f"instruction {i}", "output": text or f"{one.name} says {i}", "generator": "model"}
        for i in range(PROMPTS)
    ]
    (folder / "outputs.json").write_text(json.dumps(rows), encoding="utf-8")
