"""Win rates of stored annotations: as the stage that scores them, and by alpaca-eval's functions alone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.evaluation_overhead import Case, perform
from eval_suites import alpaca_official
from eval_suites.alpaca_length_controlled import BOOTSTRAPS, PERMUTATIONS
from eval_suites.engines import Placement
from eval_suites.quiet import quiet
from harness.kinds import WIN_RATE
from harness.kinds.win_rate import WinRateSpec
from harness.stage import External, Stage
from results.digest import digest, file_digest
from results.rows import read_scores

INSTRUCTIONS = 805
# These stand for upstream's instructions, in whose order its covariates are; those are not ours to carry.
ASKED = [f"instruction {number}" for number in range(INSTRUCTIONS)]


def alpaca_cases(folder: Path) -> list[Case]:
    """Win rates of stored annotations of as many synthetic answers as AlpacaEval has instructions."""
    files = write_annotations(folder)
    plain = {name: files[name] for name in ("outputs", "annotations")}
    fits = 1 + PERMUTATIONS + BOOTSTRAPS
    return [
        Case(
            f"alpaca-eval: {INSTRUCTIONS} stored annotations, win rate and {fits} length-controlled fits",
            lambda: _alpaca_stage(folder, files),
            lambda: alpaca_direct(files),
        ),
        Case(
            f"alpaca-eval: {INSTRUCTIONS} stored annotations, win rate alone",
            lambda: _alpaca_stage(folder, plain),
            lambda: alpaca_direct(plain),
        ),
    ]


def write_annotations(folder: Path) -> dict[str, Path]:
    """Answers, a judge's annotations of them, and covariates in the shape of upstream's df_gamed.csv."""
    import numpy as np
    import pandas as pd

    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    difficulty = draw.normal(size=INSTRUCTIONS)
    lengths = draw.integers(100, 3000, size=(2, INSTRUCTIONS))
    wins = 1 / (1 + np.exp(-difficulty + draw.normal(size=INSTRUCTIONS)))
    answers = ["word " * (length // 5) for length in lengths[1]]
    outputs = [
        {"instruction": asked, "output": answer, "generator": "model", "finished": True, "n_tokens": len(answer) // 5}
        for asked, answer in zip(ASKED, answers, strict=True)
    ]
    annotations = [
        {
            "instruction": asked,
            "output_1": "word " * (int(length) // 5),
            "output_2": answer,
            "generator_1": "baseline",
            "generator_2": "model",
            "annotator": "judge",
            "preference": 1 + float(win),
        }
        for asked, answer, length, win in zip(ASKED, answers, lengths[0], wins, strict=True)
    ]
    gamed = [
        pd.DataFrame(
            {
                "model": name,
                "index": range(INSTRUCTIONS),
                "preference": draw.random(INSTRUCTIONS),
                "std_delta_len": draw.normal(size=INSTRUCTIONS),
                "instruction_difficulty": difficulty,
                "not_gamed_baseline": False,
            }
        )
        for name in ("brief", "verbose")
    ]
    (folder / "outputs.json").write_text(json.dumps(outputs), encoding="utf-8")
    (folder / "annotations.json").write_text(json.dumps(annotations), encoding="utf-8")
    pd.concat(gamed).to_csv(folder / "covariates.csv", index=False)
    return {
        "outputs": folder / "outputs.json",
        "annotations": folder / "annotations.json",
        "covariates": folder / "covariates.csv",
    }


@contextmanager
def in_place_of_upstreams() -> Iterator[None]:
    """The order of AlpacaEval's file is that of ASKED."""
    upstreams, alpaca_official._IN_ORDER = alpaca_official._IN_ORDER, digest(ASKED)
    try:
        yield
    finally:
        alpaca_official._IN_ORDER = upstreams


def _alpaca_stage(folder: Path, files: dict[str, Path]) -> dict[str, float]:
    inputs = {name: External(path, file_digest(path)) for name, path in files.items()}
    with in_place_of_upstreams():
        scores, _ = read_scores(perform(Stage(WIN_RATE, WinRateSpec(), inputs), folder / "home", Placement()))
    found = {score.metric: score for score in scores}
    rate = found["win_rate_unofficial"]
    values: dict[str, Any] = {"win_rate": rate.value, "standard_error": rate.standard_error}
    if controlled := found.get("length_controlled_unofficial"):
        orders: Any = controlled.detail["fold_order"]
        values |= {"length_controlled": controlled.value, "by_resampling": controlled.standard_error}
        values |= {"fold_order_min": orders["min"], "fold_order_max": orders["max"]}
    return values


def alpaca_direct(files: dict[str, Path]) -> dict[str, float]:
    """The library's functions on the same rows, as often as we call them: its rate, orders, resamplings."""
    import numpy as np
    import pandas as pd
    from alpaca_eval.metrics import get_winrate, glm_winrate  # type: ignore[import-untyped]

    rows = json.loads(files["annotations"].read_text(encoding="utf-8"))
    with quiet():
        counts = get_winrate(rows)
        values = {"win_rate": float(counts["win_rate"]), "standard_error": float(counts["standard_error"])}
        if "covariates" not in files:
            return values
        frame = pd.DataFrame(rows)
        download, glm_winrate.hf_hub_download = glm_winrate.hf_hub_download, lambda **_: str(files["covariates"])

        def fit(some: pd.DataFrame) -> float:
            found = glm_winrate.get_length_controlled_winrate(
                some, save_weights_dir=None, is_add_glm_preference_inplace=False, is_warn_extreme_changes=False
            )
            return float(found["length_controlled_winrate"])

        try:
            values["length_controlled"] = fit(frame)
            draws = [np.random.default_rng(seed) for seed in range(max(PERMUTATIONS, BOOTSTRAPS))]
            orders = [fit(frame.iloc[draw.permutation(len(frame))]) for draw in draws[:PERMUTATIONS]]
            draws = [np.random.default_rng(seed) for seed in range(BOOTSTRAPS)]
            resampled = [fit(frame.iloc[draw.integers(len(frame), size=len(frame))]) for draw in draws]
        finally:
            glm_winrate.hf_hub_download = download
    values |= {"by_resampling": float(np.std(resampled, ddof=1))}
    return values | {"fold_order_min": min(orders), "fold_order_max": max(orders)}
