"""AlpacaEval 2's scores, through the alpaca-eval library."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from eval_suites.alpaca_files import (
    Row,
    check_belongs,
    first_rows,
    preference,
    read_annotations,
    read_outputs,
)
from eval_suites.alpaca_length_controlled import length_controlled
from eval_suites.alpaca_official import ANNOTATOR, N_INSTRUCTIONS, departures, gaps, is_own, parser, replayed
from eval_suites.answered_by import beside, summary
from eval_suites.judge_record import JudgeRecord, named, read_record
from eval_suites.length_controlled_refit import DifficultyTable, length_controlled_refit, read_table
from eval_suites.order_consistency import REVERSED, order_consistency
from eval_suites.quiet import quiet
from results.digest import Json, digest
from results.installed import check_installed
from results.rows import Item, Score

SUITE = "alpaca_eval"
METRIC = "win_rate"
# By another judge, or over another baseline or other instructions, it is the same statistic of something else.
UNOFFICIAL_METRIC = "win_rate_unofficial"
# What the win rate counts of the annotations, for the detail of the scores beside it.
COUNTS = ("missing", "unreadable", "marked_missing", "equal_texts", "duplicates")


def win_rate(
    annotations: Sequence[Row], n_expected: int, record: JudgeRecord | None = None
) -> tuple[Score, list[Item]]:
    """The win rate in percent with its standard error, by the library's own metric, and each instruction's share.

    An item is named by a digest of its instruction, so that items of different models pair whatever their order; its
    value is 100 · (preference − 1), None where there is no preference. Those, and instructions with no row at all,
    make the score incomplete; its value is then the mean over the rest. With another judge, one that is asked
    otherwise, another baseline or other instructions than AlpacaEval 2's it is the same statistic of something else,
    under UNOFFICIAL_METRIC; `detail["departures"]` says what differs.

    record: how the judge was asked (judge.json); annotations of the board name the official configuration themselves
    """
    if len(annotations) > n_expected:
        raise ValueError(f"{len(annotations)} annotations for {n_expected} expected instructions")
    preferences = [preference(row) for row in annotations]
    metric = METRIC if is_own(annotations, n_expected, record) else UNOFFICIAL_METRIC
    items = [
        Item(
            suite=SUITE,
            metric=metric,
            item=digest(row["instruction"])[:16],
            value=None if chosen is None else 100 * (chosen - 1),
            detail={
                "index": index,
                "dataset": row.get("dataset", ""),
                "characters": len(row["output_2"]),
                "baseline_characters": len(row["output_1"]),
            },
        )
        for index, (row, chosen) in enumerate(zip(annotations, preferences, strict=True))
    ]
    scored = [chosen for chosen in preferences if chosen is not None]
    counts = _winrate([{"preference": chosen} for chosen in scored]) if scored else {}
    changes = [*departures(annotations, record), *gaps(annotations, n_expected)]
    score = Score(
        suite=SUITE,
        metric=metric,
        value=counts.get("win_rate"),
        standard_error=counts.get("standard_error") if len(scored) > 1 else None,
        n_expected=n_expected,
        n_scored=len(scored),
        detail={
            "unit": "percent",
            "aggregate": "mean",
            "official": not changes,
            "departures": list(changes),
            "discrete_win_rate": counts.get("discrete_win_rate"),
            "wins": int(counts.get("n_wins", 0)),
            "losses": int(counts.get("n_wins_base", 0)),
            "draws": int(counts.get("n_draws", 0)),
            "annotators": sorted({str(row["annotator"]) for row in annotations if row.get("annotator")}),
            "baselines": sorted({str(row["generator_1"]) for row in annotations if row.get("generator_1")}),
            "missing": n_expected - len(annotations),
            "unreadable": len(annotations) - len(scored),
            "equal_texts": sum(row["output_1"] == row["output_2"] for row in annotations),
            "marked_missing": sum(row.get("preference") in (-1, "-1") for row in annotations),
            "duplicates": 0,
            "completions_read_again": dict(replayed(annotations)),
            "library": parser()["library"],
        },
    )
    return score, items


def answer_statistics(outputs: Sequence[Row]) -> tuple[list[Score], list[Item]]:
    """What stands beside a win rate: average length in characters (the board's, before it cuts the fraction off),

    and, where the rows tell, the share of answers that ended by themselves (percent) and their average tokens.
    """
    measures = [("average_length", "characters", [float(len(row["output"])) for row in outputs])]
    if all(isinstance(row.get("finished"), bool) for row in outputs):
        measures.append(("termination_rate", "percent", [100.0 * row["finished"] for row in outputs]))
    if all(isinstance(row.get("n_tokens"), int) for row in outputs):
        measures.append(("average_tokens", "tokens", [float(row["n_tokens"]) for row in outputs]))
    n = len(outputs)
    names = [digest(row["instruction"])[:16] for row in outputs]
    scores = [
        Score(
            suite=SUITE,
            metric=metric,
            value=fmean(values) if n else None,
            n_expected=n,
            n_scored=n,
            detail={"unit": unit, "aggregate": "mean"},
        )
        for metric, unit, values in measures
    ]
    items = [
        Item(suite=SUITE, metric=metric, item=name, value=value)
        for metric, _, values in measures
        for name, value in zip(names, values, strict=True)
    ]
    return scores, items


def score(
    outputs: Sequence[Row],
    annotations: Sequence[Row],
    covariates: Path | None = None,
    *,
    difficulty: DifficultyTable | None = None,
    record: JudgeRecord | None = None,
    n_expected: int | None = None,
) -> tuple[list[Score], list[Item]]:
    """All scores of a model's answers: the win rate, what stands beside it, and the length-controlled rates asked for.

    n_expected: how many instructions were to be answered; None: those that were

    Each win rate says who judged (`record`, or the rows themselves), and the share of pairs, in percent, in which a
    judge that was asked in both orders did not prefer the same side. All say in their detail how the answers ended and
    how long they are, where the rows tell, and how many had less room than was asked for, or have no preference.
    """
    statistics, items = answer_statistics(outputs)
    expected = n_expected or len(outputs)
    rate, wins = win_rate(annotations, expected, record)
    rates = [rate]
    if covariates is not None:
        rates.append(length_controlled(annotations, expected, covariates, record))
    if difficulty is not None:
        rates.append(length_controlled_refit(annotations, expected, difficulty, record))
    if annotations and all(REVERSED in row for row in annotations):
        consistency, agreements = order_consistency(annotations)
        unstable = None if consistency.value is None else 100 - consistency.value
        rates = [*beside(rates, {"order_instability": unstable}), consistency]
        wins = [*wins, *agreements]
    judge = named(annotations, "annotator") if record is None else record.detail
    rates = beside(rates, {**judge, **{name: rate.detail[name] for name in COUNTS}})
    about: dict[str, Json] = {
        **summary(statistics),
        "answers_shortened": sum(bool(row.get("shortened")) for row in outputs),
        "without_preference": rate.n_expected - rate.n_scored,
    }
    return beside([*rates, *statistics], about), [*wins, *items]


def score_stored(
    outputs_path: Path,
    annotations_path: Path,
    covariates: Path | None = None,
    difficulty: Path | None = None,
    judge: Path | None = None,
) -> tuple[list[Score], list[Item]]:
    """The scores of a model from a file of its answers and a file of a judge's annotations of them.

    covariates: upstream's df_gamed.csv, for the length-controlled win rate
    difficulty: a table of refitted difficulties, for the approximation to it
    judge:      the judge.json that stands beside annotations of our own

    Instructions without an annotation make the win rate incomplete, and so do instructions without an answer where the
    rows name AlpacaEval's own configuration, which asks all of its instructions. Of several rows for one instruction
    the first counts; how many there are stands in the detail, with the library's win rate over all of them. Raises
    UserError for files that are not what they should be, or do not belong together.
    """
    check_installed({"alpaca-eval": "AlpacaEval's win rate"})
    outputs, rows = read_outputs(outputs_path), read_annotations(annotations_path)
    annotations = first_rows(rows)
    check_belongs(outputs, annotations, outputs_path, annotations_path)
    ordered = [annotations[row["instruction"]] for row in outputs if row["instruction"] in annotations]
    table = None if difficulty is None else read_table(difficulty)
    record = None if judge is None else read_record(judge)
    asked = N_INSTRUCTIONS if any(row.get("annotator") == ANNOTATOR for row in ordered) else 0
    expected = max(asked, len(outputs))
    scores, items = score(outputs, ordered, covariates, difficulty=table, record=record, n_expected=expected)
    return [_with_duplicates(one, rows, len(annotations)) for one in scores], items


def _with_duplicates(score: Score, rows: Sequence[Row], n_different: int) -> Score:
    """The score, told how many rows were for an instruction that has one already: the library counts them all."""
    if "departures" not in score.detail:
        return score
    detail: dict[str, Json] = {**score.detail, "duplicates": len(rows) - n_different}
    if len(rows) > n_different:
        preferences = [{"preference": chosen} for row in rows if (chosen := preference(row)) is not None]
        said = f"{detail['duplicates']} rows are for an instruction that has one already; the first counts"
        detail |= {"official": False, "departures": [*_listed(score.detail["departures"]), said]}
        detail["over_all_rows"] = {**_winrate(preferences)} if preferences else None
    return score.model_copy(update={"detail": detail})


def _listed(value: Json) -> list[Json]:
    assert isinstance(value, list)
    return value


def _winrate(rows: list[Row]) -> dict[str, float]:
    with quiet():
        from alpaca_eval.metrics import get_winrate  # type: ignore[import-untyped]

        return {name: float(value) for name, value in get_winrate(rows).items()}
