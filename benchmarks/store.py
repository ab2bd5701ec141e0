"""How quick a large results store is: a million items of ten thousand arms, as a hundred studies and as a single one.

`python -m benchmarks.store` builds both in a temporary folder, measures, and prints the table.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert

from results.checking import faults
from results.digest import digest
from results.errors import UserError
from results.leaderboard import leaderboard
from results.schema import ArmRow, ArmStageRow, Base, CurveRow, ItemRow, ProfileRow, ScoreRow, StageRow
from results.store import Store
from results.tables import markdown
from results.trace import trace

SEEDS = 3
METRICS = {"win_rate": "percent", "average_length": "characters"}
CURVE_POINTS = 20
_WHEN = datetime(2026, 1, 2, tzinfo=UTC)
_CHUNK = 100  # arms


def build(store: Store, studies: int, arms: int, items: int) -> None:
    """Fills an empty store with `arms` arms (seeds counted) over `studies` profiles, and `items` items over them."""
    generator = np.random.default_rng(0)
    per_score = items // (arms * len(METRICS))
    names = [digest(number)[:16] for number in range(per_score)]
    with store.engine.execution_options(writes=True).begin() as connection:
        for study in range(studies):
            spec = {"leaderboard": {"main": "alpaca_eval/win_rate", "baseline": "arm-0000"}}
            profile = {"digest": digest(study), "name": f"study-{study}", "spec": spec}
            _add(connection, ProfileRow, [profile | {"created": _WHEN, "recorded": _WHEN}])
            own = range(study * arms // studies, (study + 1) * arms // studies)
            for first in range(own.start, own.stop, _CHUNK):
                chunk = range(first, min(first + _CHUNK, own.stop))
                _add_arms(connection, profile["digest"], chunk, own.start)
                _add_items(connection, chunk, names, generator)


def _add_arms(connection: Connection, profile: object, arms: Sequence[int], first: int) -> None:
    settings = {"responses": 3200, "comparisons": ["short"]}
    _add(
        connection,
        ArmRow,
        [
            {"id": arm, "profile": profile, "name": f"arm-{(arm - first) // SEEDS:04}", "method": "sft"}
            | {"seed": (arm - first) % SEEDS, "settings": settings, "status": "ok", "reason": ""}
            for arm in arms
        ],
    )
    kinds = [(arm, kind, digest(f"{kind} {arm}")) for arm in arms for kind in ("train", "win_rate")]
    _add(connection, StageRow, [_stage(kind, key) for _, kind, key in kinds])
    _add(connection, ArmStageRow, [{"arm_id": arm, "stage_key": key} for arm, _, key in kinds])
    points = [(key, step) for _, kind, key in kinds if kind == "train" for step in range(1, CURVE_POINTS + 1)]
    _add(
        connection,
        CurveRow,
        [
            {"stage_key": key, "step": step, "metric": metric, "examples": 160 * step, "tokens": 3000 * step}
            | {"value": 1 / step}
            for key, step in points
            for metric in ("loss", "nll")
        ],
    )


def _stage(kind: str, key: str) -> dict[str, Any]:
    return {
        "key": key,
        "kind": kind,
        "version": 1,
        "spec": {"judge": "local", "limit": 200},
        "status": "ok",
        "reason": "",
        "artifact": f"{kind}/{key}",
        "content": key,
        "started": _WHEN,
        "seconds": 20.0,
        "host": "node-1",
        "commit": "0123456789abcdef",
        "dirty": False,
        "versions": {"numpy": np.__version__},
        "command": "bridgebench reproduce study",
    }


def _add_items(
    connection: Connection, arms: Sequence[int], names: Sequence[str], generator: np.random.Generator
) -> None:
    scores = [(arm * len(METRICS) + place, arm, metric) for arm in arms for place, metric in enumerate(METRICS)]
    values = 100.0 * generator.random((len(scores), len(names)))
    detail = {"index": 17, "dataset": "selfinstruct", "characters": 812, "baseline_characters": 1234}
    _add(
        connection,
        ScoreRow,
        [
            {"id": score, "arm_id": arm, "stage_key": digest(f"win_rate {arm}"), "suite": "alpaca_eval"}
            | {"metric": metric, "value": float(own.mean()), "standard_error": None, "n_expected": len(names)}
            | {
                "n_scored": len(names),
                "higher_is_better": True,
                "itemised": True,
                "is_mean": True,
                "unit": METRICS[metric],
            }
            | {"detail": {"unit": METRICS[metric], "aggregate": "mean", "annotators": ["local"]}}
            for (score, arm, metric), own in zip(scores, values, strict=True)
        ],
    )
    _add(
        connection,
        ItemRow,
        [
            {"score_id": score, "item": name, "value": value, "detail": detail}
            for (score, _, _), own in zip(scores, values.tolist(), strict=True)
            for name, value in zip(names, own, strict=True)
        ],
    )


def _add(connection: Connection, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(insert(table), rows)


def measure(where: str | Path, studies: int, arms: int, items: int, repeats: int) -> Iterator[tuple[str, float]]:
    """What was done and the least of its seconds, every time through a connection of its own."""
    with Store.open(where) as store:
        yield "build it", _seconds(lambda: build(store, studies, arms, items))
    tasks: dict[str, Callable[[Store], object]] = {
        "leaderboard": lambda store: leaderboard(store, "study-0"),
        "leaderboard as Markdown": lambda store: markdown(leaderboard(store, "study-0")),
        "trace a number": lambda store: trace(store, "study-0", "arm-0001", "alpaca_eval/win_rate"),
        "check the whole store": faults,
    }
    for name, task in tasks.items():
        times = []
        for _ in range(repeats):
            with Store.open(where, create=False) as store:
                times.append(_seconds(partial(task, store)))
        yield name, min(times)


def _seconds(task: Callable[[], object]) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--arms", type=int, default=10_000, help="seeds counted")
    parser.add_argument("--studies", type=int, nargs="+", default=[100, 10, 1])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--store", help="an empty postgresql:// database, for one number of studies")
    options = parser.parse_args(arguments)
    if options.store and len(options.studies) > 1:
        raise UserError("--store: one database holds one number of studies: add --studies 100")
    if min(options.studies) < 1 or options.arms < max(options.studies) * 2 * SEEDS:
        raise UserError(f"--studies {options.studies}: {options.arms} arms are too few: {2 * SEEDS} for each study")
    print("| studies | arms of each | items of each | what | seconds |\n| ---: | ---: | ---: | --- | ---: |")
    for studies in options.studies:
        with tempfile.TemporaryDirectory() as folder:
            where = options.store or Path(folder) / "store.sqlite"
            for name, seconds in measure(where, studies, options.arms, options.items, options.repeats):
                sizes = f"{studies:,} | {options.arms // studies:,} | {options.items // studies:,}"
                print(f"| {sizes} | {name} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"benchmarks.store: {error}")
