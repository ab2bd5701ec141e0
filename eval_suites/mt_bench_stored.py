"""Scores from judgments that are there already: upstream's <judge>_single.jsonl and <judge>_pair.jsonl."""

import json
from collections.abc import Sequence
from pathlib import Path

from eval_suites.answered_by import beside
from eval_suites.judge_record import read_record
from eval_suites.mt_bench_files import (
    Match,
    Question,
    check_answered,
    read_answers,
    read_matches,
    read_questions,
    read_ratings,
)
from eval_suites.mt_bench_pairs import score_matches
from eval_suites.mt_bench_scores import score_ratings
from eval_suites.mt_bench_statistics import answer_statistics, beside_scores
from eval_suites.text_file import read_text
from results.errors import UserError
from results.rows import Item, Score


def score_stored(
    questions: Path,
    judgments: Path,
    model: str | None = None,
    *,
    baseline: str | None = None,
    answers: Path | None = None,
    judge: Path | None = None,
) -> tuple[list[Score], list[Item]]:
    """The scores of one model; whether the judgments are of single answers or of pairs is told by their rows.

    model:    whose; None where a file of ratings has one model's, or one of pairs one model beside the baseline
    baseline: for pairs, whom the model is compared with; None where it met one other only
    answers:  the model's answers (upstream's model_answer), for statistics of their length
    judge:    the judge.json that stands beside judgments of our own

    Raises UserError for files that are not what they should be, do not belong together, or leave open who is meant.
    """
    asked, record = read_questions(questions), None if judge is None else read_record(judge)
    if _are_pairs(judgments):
        matches = read_matches(judgments)
        name, other = _two(judgments, matches, model, baseline)
        scores, items = score_matches(matches, asked, name, other, record)
    else:
        if baseline is not None:
            raise UserError(f"{judgments}: these are ratings of single answers, which have no baseline")
        ratings = read_ratings(judgments)
        name = model or ratings[0].model
        scores, items = score_ratings(ratings, asked, model, record)
    if answers is None:
        return scores, items
    statistics, more = _statistics(answers, name, asked)
    return [*beside(scores, beside_scores(statistics)), *statistics], [*items, *more]


def _are_pairs(path: Path) -> bool:
    """Whether the first row is that of a pair; one that is no JSON object is for the readers to complain of."""
    first = next((line for line in read_text(path).split("\n") if line.strip()), "")
    try:
        row = json.loads(first)
    except ValueError:
        return False
    return isinstance(row, dict) and "g1_winner" in row


def _two(path: Path, matches: Sequence[Match], model: str | None, baseline: str | None) -> tuple[str, str]:
    """The model and the baseline that are meant."""
    met = sorted({frozenset((match.model_1, match.model_2)) for match in matches}, key=sorted)
    names = sorted(set().union(*met))
    for name in (model, baseline):
        if name is not None and name not in names:
            raise UserError(f"{path}: there is no match of {name!r}; there are {', '.join(names)}")
    if model is None and baseline is None and len(met) == 1:
        # upstream's pairwise-baseline mode puts the baseline first or second, as the names sort
        raise UserError(f"{path}: which of {' and '.join(names)} is the model? name one (the other is the baseline)")
    fitting = [pair for pair in met if {model, baseline} - {None} <= pair and len(pair) == 2]
    if len(fitting) != 1:
        who = " and ".join(repr(name) for name in (model, baseline) if name) or "nobody"
        raise UserError(f"{path}: {who} named, and {len(fitting)} pairs of models fit: name model and baseline")
    if model is None:
        (model,) = fitting[0] - {baseline}
    (other,) = fitting[0] - {model}
    return str(model), str(other)


def _statistics(path: Path, model: str, questions: Sequence[Question]) -> tuple[list[Score], list[Item]]:
    answers = read_answers(path)
    check_answered(questions, answers, str(path))
    name = next(iter(answers.values())).model_id
    if name != model:
        raise UserError(f"{path}: these are the answers of {name!r}, and the judgments are of {model!r}")
    return answer_statistics(answers, questions)
