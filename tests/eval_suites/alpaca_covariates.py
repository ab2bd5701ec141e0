"""A file in the schema of upstream's df_gamed.csv, made of real annotations: difficulties fitted from stored models,

and a model that was asked to be brief and to be verbose in the place of the gamed baselines.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from eval_suites.alpaca_files import Row, read_annotations
from eval_suites.length_controlled_glm import Outcomes, fit_difficulty, shortness
from tests.real_data import REAL_DATA

MODELS = REAL_DATA / "alpaca_eval" / "models"
GAMED = ("gpt-3.5-turbo-1106_concise", "gpt-3.5-turbo-1106_verbose")


def annotations(model: str) -> list[Row]:
    return read_annotations(MODELS / model / "annotations.json.gz")


def write_covariates(path: Path) -> Path:
    outcomes, scaled = {}, {}
    for name in sorted(folder.name for folder in MODELS.iterdir() if folder.name != "NullModel"):
        rows = annotations(name)
        baseline, own = [len(row["output_1"]) for row in rows], [len(row["output_2"]) for row in rows]
        wins = np.array([float(row["preference"]) - 1 for row in rows])
        outcomes[name] = Outcomes(wins, shortness(baseline, own))
        difference = pd.Series(baseline) - pd.Series(own)
        scaled[name] = difference / difference.std()
    gamma = fit_difficulty(list(outcomes.values()))
    frames = [
        pd.DataFrame(
            {
                "model": name,
                "index": range(805),
                "preference": outcomes[name].wins,
                "std_delta_len": scaled[name],
                "instruction_difficulty": gamma,
                "not_gamed_baseline": False,
            }
        )
        for name in GAMED
    ]
    pd.concat(frames).to_csv(path, index=False)
    return path
