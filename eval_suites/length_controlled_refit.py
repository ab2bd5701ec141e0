"""A length-controlled win rate without upstream's covariates: difficulties refitted from stored annotations.

An approximation under a name of its own, never the official number. A table is built once from the official judge's
annotations of several models, and says itself how far off the rate is: every model is left out of everything (the
difficulties, the calibration) in turn and compared with the board that the library ships.

There is no such rate for another judge or baseline, a study's own included: nothing is published to calibrate it on,
and difficulties fitted from the arms of a study would let every arm change the numbers of the others.
"""

import csv
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from eval_suites.alpaca_files import Row, by_instruction, preference, read_annotations
from eval_suites.alpaca_official import ANNOTATOR, BASELINE, departures
from eval_suites.judge_record import JudgeRecord
from eval_suites.length_controlled_glm import (
    Array,
    Outcomes,
    calibrate,
    controlled_rate,
    fit_difficulty,
    shortness,
)
from eval_suites.text_file import read_model
from results.digest import digest
from results.errors import UserError
from results.installed import check_installed
from results.rows import Finite, Score

METRIC = "length_controlled_refit"
BOOTSTRAPS = 200
# With more models than this they are left out in as many groups, since every two of them are left out together.
_GROUPS = 10
# Fewer leave nothing to calibrate on once two are left out.
_FEWEST = 4


class LeftOut(BaseModel):
    """A stored model's rates in percent: the board's, and the refitted one from a table without this model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    published: Finite
    refitted: Finite


class DifficultyTable(BaseModel):
    """What stored annotations say of the instructions, and how well it serves.

    difficulty:    gamma by the first 16 digits of the digest of the instruction, mean 0
    length_weight: the centre of the prior of a model's length coefficient
    models:        those that difficulty and length weight come from, each with the digest of its answers
    set_aside:     those that had no part in them, with the reason
    left_out:      every model that the board has, those set aside too
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    judge: str
    baseline: str
    library: str
    models: dict[str, str]
    set_aside: dict[str, str]
    length_weight: Finite
    difficulty: Annotated[dict[str, Finite], Field(min_length=1)]
    left_out: tuple[LeftOut, ...]

    def errors(self) -> dict[str, float]:
        """Leave-one-out error of the models that are not set aside: mean and largest in points, rank correlation."""
        from scipy.stats import spearmanr

        own = [row for row in self.left_out if row.model not in self.set_aside]
        gaps = [abs(row.refitted - row.published) for row in own]
        ranks = spearmanr([row.refitted for row in own], [row.published for row in own])
        return {
            "models": float(len(own)),
            "mean_absolute": float(np.mean(gaps)),
            "largest": float(max(gaps)),
            "spearman": float(ranks.statistic),
        }


def refit(files: Mapping[str, Path]) -> DifficultyTable:
    """A table from annotation files by AlpacaEval 2's judge against its baseline, by the model's name on the board.

    (Files do not always hold that name.) A model whose answers hardly depend on the instruction is set aside: its wins
    say nothing of difficulty. Raises UserError for files that are not what they should be, and for too few models.
    """
    check_installed({"alpaca-eval": "the board of published rates"})
    published = board()
    models: dict[str, Outcomes] = {}
    answered: dict[str, str] = {}
    set_aside: dict[str, str] = {}
    instructions: list[str] = []
    for name, file in sorted(files.items()):
        rows = _official_rows(file)
        instructions = instructions or list(rows)
        models[name] = _outcomes([rows[text] for text in instructions])
        answered[name] = _answers_digest(list(rows.values()))
        if (twin := next((n for n in answered if n != name and answered[n] == answered[name]), None)) is not None:
            raise UserError(f"{file}: the answers of {name} are those of {twin}; keep one file")
        answers = len({row["output_2"] for row in rows.values()})
        if answers < len(rows) / 2:
            set_aside[name] = f"only {answers} different answers to {len(rows)} instructions"
        elif name not in published:
            set_aside[name] = "no published length-controlled win rate"
    used = sorted(models.keys() - set_aside.keys())
    if len(used) < _FEWEST:
        raise UserError(
            f"{len(used)} models with a published rate and answers of their own ({', '.join(used) or 'none'}); "
            f"difficulties want {_FEWEST} at least, better many"
        )
    found = _CrossFit({name: models[name] for name in used}, {name: published[name] / 100 for name in used})
    left_out = [
        LeftOut(model=name, published=published[name], refitted=100 * found.rate(name, models[name]))
        for name in sorted(models.keys() & published.keys())
    ]
    gamma = found.gamma()
    return DifficultyTable(
        judge=ANNOTATOR,
        baseline=BASELINE,
        library=f"alpaca-eval {metadata.version('alpaca-eval')}",
        models={name: answered[name] for name in used},
        set_aside=set_aside,
        length_weight=found.length_weight(),
        difficulty={_key(text): float(value) for text, value in zip(instructions, gamma, strict=True)},
        left_out=tuple(left_out),
    )


def length_controlled_refit(
    annotations: Sequence[Row], n_expected: int, table: DifficultyTable, record: JudgeRecord | None = None
) -> Score:
    """The refitted rate in percent. Its standard error is that of resampled instructions; the method's own error, that
    of the table's models left out in turn, stands in `detail["method_error"]` and comes on top of it.

    `detail["in_table"]` says that the model itself is one of the table's, so that its number is no independent one.
    Without a row for every instruction, and for another judge, another baseline or other instructions, the score has no
    value, and says so in its departures.
    """
    changes = departures(annotations, record)
    fits = len(annotations) == n_expected and not changes
    outcomes = _outcomes(annotations)
    n_scored = int((~np.isnan(outcomes.wins)).sum()) if fits or len(annotations) < n_expected else 0
    score = Score(
        suite="alpaca_eval",
        metric=METRIC,
        value=None,
        n_expected=n_expected,
        n_scored=n_scored,
        detail={
            "unit": "percent",
            "aggregate": "regression",
            "official": False,
            "departures": ["difficulties are refitted, and a prior stands for the gamed baselines", *changes],
            "annotators": sorted({str(row["annotator"]) for row in annotations if row.get("annotator")}),
            "baselines": sorted({str(row["generator_1"]) for row in annotations if row.get("generator_1")}),
            "table": digest(table.model_dump(mode="json")),
            "table_models": list(table.models),
            "in_table": _answers_digest(annotations) in table.models.values(),
            "method_error": {**table.errors()},
            "bootstraps": BOOTSTRAPS,
        },
    )
    if not fits or n_scored == 0:
        return score
    gamma = np.array([table.difficulty[_key(row["instruction"])] for row in annotations])
    resampled = []
    for seed in range(BOOTSTRAPS):
        rows = np.random.default_rng(seed).integers(len(gamma), size=len(gamma))
        resampled.append(controlled_rate(outcomes.take(rows), gamma[rows], table.length_weight))
    value = 100 * controlled_rate(outcomes, gamma, table.length_weight)
    return score.model_copy(update={"value": value, "standard_error": 100 * float(np.std(resampled, ddof=1))})


def check_asked(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """Raises UserError where no rate could come of a table for these instructions, each with the baseline's answer."""
    rows = [{"instruction": text, "output_1": answer, "annotator": ANNOTATOR} for text, answer in pairs]
    if changes := departures(rows):
        raise UserError(
            f"{path}: difficulties are those of AlpacaEval 2's own instructions beside its own baseline, but "
            f"{'; '.join(changes)}; leave 'difficulty' out"
        )
    known = read_table(path).difficulty
    if missing := [text for text, _ in pairs if _key(text) not in known]:
        raise UserError(
            f"{path}: has no difficulty for {len(missing)} of {len(pairs)} instructions, the first: "
            f"{missing[0][:80]!r}; `bridgebench difficulty` makes a table of all"
        )


def read_table(path: Path) -> DifficultyTable:
    """Raises UserError where the file is not a table that `write_table` wrote."""
    return read_model(path, DifficultyTable, "a table of difficulties")


def write_table(path: Path, table: DifficultyTable) -> None:
    """Byte for byte the same for the same annotations and library."""
    path.write_text(table.model_dump_json(indent=1) + "\n", encoding="utf-8")


def board() -> dict[str, float]:
    """The official length-controlled win rates in percent by the generator's name, as the library ships them."""
    package = Path(str(metadata.distribution("alpaca-eval").locate_file("alpaca_eval")))
    path = package / "leaderboards" / "data_AlpacaEval_2" / f"{ANNOTATOR}_leaderboard.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row[""]: float(row["length_controlled_winrate"]) for row in rows if row["length_controlled_winrate"]}


class _CrossFit:
    """Difficulties and length weights without some groups of models, each fitted once."""

    def __init__(self, models: Mapping[str, Outcomes], rates: Mapping[str, float]) -> None:
        self._models, self._rates = models, rates
        self._group = {name: index % _GROUPS for index, name in enumerate(models)}
        self._gammas: dict[frozenset[int], Array] = {}

    def gamma(self, *without: int) -> Array:
        groups = frozenset(without)
        if groups not in self._gammas:
            used = [model for name, model in self._models.items() if self._group[name] not in groups]
            self._gammas[groups] = fit_difficulty(used)
        return self._gammas[groups]

    def length_weight(self, *without: int) -> float:
        """Calibrated on each model that is used with difficulties in which it, too, had no part."""
        used = [name for name in self._models if self._group[name] not in without]
        gammas = [self.gamma(*without, self._group[name]) for name in used]
        return calibrate([self._models[name] for name in used], gammas, [self._rates[name] for name in used])

    def rate(self, name: str, model: Outcomes) -> float:
        without = [self._group[name]] if name in self._group else []
        return controlled_rate(model, self.gamma(*without), self.length_weight(*without))


def _official_rows(file: Path) -> dict[str, Row]:
    """A file's rows by instruction."""
    rows = by_instruction(read_annotations(file), str(file))
    if changes := departures(list(rows.values())):
        raise UserError(
            f"{file}: difficulties are fitted from AlpacaEval 2's own annotations, but {'; '.join(changes)}"
        )
    return rows


def _answers_digest(rows: Sequence[Row]) -> str:
    return digest(sorted([row["instruction"], row["output_2"]] for row in rows))


def _outcomes(rows: Sequence[Row]) -> Outcomes:
    chosen = [preference(row) for row in rows]
    return Outcomes(
        wins=np.array([np.nan if value is None else value - 1 for value in chosen], dtype=float),
        shortness=shortness([len(row["output_1"]) for row in rows], [len(row["output_2"]) for row in rows]),
    )


def _key(instruction: str) -> str:
    return digest(instruction)[:16]
