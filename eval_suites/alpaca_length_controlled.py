"""AlpacaEval 2's length-controlled win rate by the library's own function, from a local file of its covariates.

Upstream's regression (Dubois et al. 2024, arXiv 2404.04475) needs `df_gamed.csv`: the difficulty of every instruction,
and the official judge's annotations of the baseline asked to be brief and to be verbose. The library fetches it from
the hub; here it is a path. Folds, penalty, weights and the scale of lengths are all the library's.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval_suites.alpaca_files import Row, preference
from eval_suites.alpaca_official import N_INSTRUCTIONS, departures, gaps, in_order, is_own
from eval_suites.judge_record import JudgeRecord
from eval_suites.quiet import quiet
from eval_suites.text_file import read_text
from results.errors import UserError
from results.rows import Score

if TYPE_CHECKING:
    import pandas as pd

METRIC = "length_controlled_win_rate"
# With any other judge or baseline it is another quantity: the covariates stay those of the official ones.
UNOFFICIAL_METRIC = "length_controlled_unofficial"
COLUMNS = ("model", "index", "preference", "std_delta_len", "instruction_difficulty", "not_gamed_baseline")
PERMUTATIONS = 20
BOOTSTRAPS = 50
_LIBRARIES = ("alpaca-eval", "numpy", "pandas", "patsy", "scikit-learn")
_library_lock = threading.Lock()


def length_controlled(
    annotations: Sequence[Row], n_expected: int, covariates: Path, record: JudgeRecord | None = None
) -> Score:
    """The length-controlled win rate in percent, as the library computes it from these rows in their order.

    The library's choice of penalty depends on which rows share a fold, and so on their order: `detail["fold_order"]`
    holds the range and the standard deviation over PERMUTATIONS seeded orders of the same rows. The standard error is
    that of BOOTSTRAPS resamplings of instructions with the regression fitted anew; the library's own figure, the spread
    of fitted values, stands in the detail. Without a row for every instruction, and for other or reordered
    instructions, the score has no value.

    Raises UserError for a covariates file that is not what the library reads.
    """
    changes = departures(annotations, record)
    baselines = sorted({str(row["generator_1"]) for row in annotations if row.get("generator_1")})
    changes += gaps(annotations, n_expected)
    preferences = [preference(row) for row in annotations]
    score = Score(
        suite="alpaca_eval",
        metric=METRIC if is_own(annotations, n_expected, record) else UNOFFICIAL_METRIC,
        value=None,
        n_expected=n_expected,
        n_scored=sum(chosen is not None for chosen in preferences),
        detail={
            "unit": "percent",
            "aggregate": "regression",
            "official": not changes,
            "departures": list(changes),
            "annotators": sorted({str(row["annotator"]) for row in annotations if row.get("annotator")}),
            "baselines": [*baselines],
            "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        },
    )
    if len(annotations) < n_expected or score.n_scored == 0:
        return score
    check_covariates(covariates)
    if not in_order(annotations):
        said = (
            "the covariates tell instructions by their place in AlpacaEval's file of 805, and the answers are of other "
            "instructions or in another order"
        )
        without = {"official": False, "departures": [*changes, said]}
        return score.model_copy(update={"n_scored": 0, "detail": {**score.detail, **without}})
    return score.model_copy(update=_fitted(_frame(annotations, preferences), covariates, score.detail))


def _fitted(frame: "pd.DataFrame", covariates: Path, detail: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    with _library(covariates) as fit:
        found = fit(frame)
        orders = [np.random.default_rng(seed).permutation(len(frame)) for seed in range(PERMUTATIONS)]
        shuffled = [fit(frame.iloc[order])["length_controlled_winrate"] for order in orders]
        drawn = [np.random.default_rng(seed).integers(len(frame), size=len(frame)) for seed in range(BOOTSTRAPS)]
        resampled = [fit(frame.iloc[draw])["length_controlled_winrate"] for draw in drawn]
    fold_order = {
        "permutations": PERMUTATIONS,
        "min": float(min(shuffled)),
        "max": float(max(shuffled)),
        "standard_deviation": float(np.std(shuffled, ddof=1)),
    }
    return {
        "value": float(found["length_controlled_winrate"]),
        "standard_error": float(np.std(resampled, ddof=1)),
        "detail": {
            **detail,
            "fold_order": fold_order,
            "bootstraps": BOOTSTRAPS,
            "lc_standard_error": float(found["lc_standard_error"]),
        },
    }


@contextmanager
def _library(covariates: Path) -> Iterator[Any]:
    """The library's function with `covariates` in place of its download; it writes no weights.

    Its module is changed while it runs, so one at a time; scikit-learn's settings are as before afterwards.
    """
    with _library_lock, quiet():
        import sklearn  # type: ignore[import-untyped]
        from alpaca_eval.metrics import glm_winrate  # type: ignore[import-untyped]

        download = glm_winrate.hf_hub_download
        glm_winrate.hf_hub_download = lambda **_: str(covariates)
        try:
            with sklearn.config_context():
                yield lambda frame: glm_winrate.get_length_controlled_winrate(
                    frame, save_weights_dir=None, is_add_glm_preference_inplace=False, is_warn_extreme_changes=False
                )
        finally:
            glm_winrate.hf_hub_download = download


def _frame(annotations: Sequence[Row], preferences: Sequence[float | None]) -> "pd.DataFrame":
    """The columns that the library reads. Its index names the instruction, and goes with a row that is moved."""
    import pandas as pd

    return pd.DataFrame(
        {
            "preference": pd.Series(list(preferences), dtype=float),
            "output_1": [row["output_1"] for row in annotations],
            "output_2": [row["output_2"] for row in annotations],
            "generator_1": [str(row.get("generator_1") or "baseline") for row in annotations],
            "generator_2": [str(row.get("generator_2") or "model") for row in annotations],
            "annotator": [str(row.get("annotator") or "") for row in annotations],
        }
    )


def check_covariates(path: Path) -> None:
    """Raises UserError for a file that the library would stumble over, or misread without a word."""
    import numpy as np
    import pandas as pd

    try:
        table = pd.read_csv(StringIO(read_text(path)))
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a CSV file ({error})") from None
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise UserError(f"{path}: the columns {', '.join(missing)} are missing; upstream's df_gamed.csv is wanted")
    numbers = ["index", "std_delta_len", "instruction_difficulty", "preference"]
    wrong = [name for name in numbers if not pd.api.types.is_numeric_dtype(table[name])]
    wrong += [name for name in numbers[:-1] if name not in wrong and not np.isfinite(table[name]).all()]
    if wrong:
        raise UserError(f"{path}: the columns {', '.join(wrong)} must hold a number in every row")
    if table["not_gamed_baseline"].dtype != bool:
        raise UserError(f"{path}: the column not_gamed_baseline must hold True or False in every row")
    # The library takes the row in which an instruction first stands for its place in the file of instructions.
    first = table["index"].drop_duplicates()
    if set(first) != set(range(len(first))) or list(first.index) != list(range(len(first))):
        raise UserError(f"{path}: its first rows must hold each index from 0 on once, as upstream's do")
    if len(first) != N_INSTRUCTIONS:
        raise UserError(f"{path}: {len(first)} instructions; upstream's file has {N_INSTRUCTIONS}")
