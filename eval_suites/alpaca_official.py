"""Whether annotations are AlpacaEval 2's own: its 805 instructions, its baseline's answers, its judge as it asks."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from eval_suites.alpaca_files import Row, preference
from eval_suites.judge_record import JudgeRecord, identity_departures, record_departures
from eval_suites.judge_reply import REPLY_PARSER
from eval_suites.judge_spec import JudgeIdentity
from results.digest import Json, digest

# The library's configuration of the official judge, by which stored annotations name it, and what it asks of whom.
ANNOTATOR = "weighted_alpaca_eval_gpt4_turbo"
OFFICIAL = JudgeIdentity(model="gpt-4-1106-preview", max_tokens=1, temperature=1.0, top_logprobs=5)
BASELINE = "gpt4_1106_preview"
N_INSTRUCTIONS = 805
# The library's file of the judge's prompt, and digests of its text and of what the configuration says of the parser.
PROMPT = "alpaca_eval_clf.txt"
_PROMPT = "3c64d3b026e76152902a8bc9bb26760cc775acc88fb467d314764edeb259293f"
_RULES: Mapping[str, Json] = {
    "fn_completion_parser": "logprob_parser",
    "completion_parser_kwargs": {"numerator_token": "m", "denominator_tokens": ["m", "M"], "is_binarize": False},
    "completion_key": "completions_all",
    "batch_size": 1,
}
# Digests of the texts, which are upstream's and not ours to carry: of the instructions sorted, of the instructions in
# the order of upstream's file, and of the pairs of instruction and baseline's answer sorted.
_INSTRUCTIONS = "995577efc4999ddd8d581ea6c41aae3bc3ff879e739eb2b4542c76570c3c806b"
_IN_ORDER = "d02007bfbcc8fcf624c641e8b70d53e82f7d0c061d12cf1b5695357e0d0090ce"
_ANSWERED = "ceb773b838473f2f2831a78e7adb9c195adef388a40556f41b6e0441c7350ae3"
_ROUNDED = 1e-6  # stored preferences have ten digits


@cache
def parser() -> Mapping[str, Json]:
    """What reads a preference out of a judge's reply: the library with its rules for this judge, and our own reader."""
    package = Path(str(metadata.distribution("alpaca-eval").locate_file("alpaca_eval")))
    text = (package / "evaluators_configs" / ANNOTATOR / "configs.yaml").read_text(encoding="utf-8")
    rules = yaml.safe_load(text)[ANNOTATOR]
    return {
        "library": f"alpaca-eval {metadata.version('alpaca-eval')}",
        "rules": {name: rules.get(name) for name in _RULES},
        "replies": REPLY_PARSER,
    }


def asks_as_official(judge: JudgeIdentity) -> bool:
    """Whether it is the official judge, asked as AlpacaEval 2 asks, as far as can be told before it answers."""
    return (judge.model, judge.parameters) == (OFFICIAL.model, OFFICIAL.parameters)


def departures(annotations: Sequence[Row], record: JudgeRecord | None = None) -> list[str]:
    """What makes these annotations another metric than the official one, in words; nothing where they are its own.

    record: how the judge was asked, which has to be of these very rows. Without it they have to name the library's
        configuration. What they hold of the judge's completions has to fit it in either case.

    The baseline is known by its texts, not by its name, so rows that are missing leave it unproved.
    """
    found = []
    if digest(sorted(row["instruction"] for row in annotations)) != _INSTRUCTIONS:
        found.append(f"the {len(annotations)} annotated instructions are not AlpacaEval's {N_INSTRUCTIONS}")
    elif digest(sorted([row["instruction"], row["output_1"]] for row in annotations)) != _ANSWERED:
        found.append(f"the baseline's answers are not those of {BASELINE}")
    found += judge_departures(annotations, record)
    return found


def is_own(annotations: Sequence[Row], n_expected: int, record: JudgeRecord | None = None) -> bool:
    """Whether a statistic of these annotations bears the official one's name, as far as what is there can tell.

    The judge has to be the official one in either case. Where every instruction has a row, with a preference or not,
    the texts of the instructions and of the baseline are proved to be the official ones. Where rows are missing neither
    is: then 805 are to be expected, and every row that is there has to name the official baseline. That is the official
    metric, incomplete; so it is without a single row, where no value is claimed, and an arm that was never judged
    stands in the column of the others.
    """
    if judge_departures(annotations, record):
        return False
    baseline_named = all(row.get("generator_1") == BASELINE for row in annotations)
    return not departures(annotations, record) or (len(annotations) < n_expected == N_INSTRUCTIONS and baseline_named)


def gaps(annotations: Sequence[Row], n_expected: int) -> list[str]:
    """In words, how many expected instructions have no preference: a mean over the rest is not official."""
    n_missing = n_expected - sum(preference(row) is not None for row in annotations)
    return [f"{n_missing} of {n_expected} instructions have no preference"] if n_missing else []


def judge_departures(annotations: Sequence[Row], record: JudgeRecord | None = None) -> list[str]:
    """Those of `departures` that are the judge's."""
    found = _of_names(annotations) if record is None else _of_record(annotations, record)
    held = replayed(annotations)
    if held["disagree"]:
        found.append(f"{held['disagree']} preferences are not what the completions beside them say")
    if held["otherwise"]:
        found.append(f"{held['otherwise']} completions do not have one token with its five likeliest")
    # The mean over both orders of a pair is another judge than the one order that AlpacaEval draws.
    if any("preference_reversed" in row for row in annotations) or (record is not None and record.orders == 2):
        found.append("every pair is judged in both orders")
    return found


def in_order(annotations: Sequence[Row]) -> bool:
    """Whether these are AlpacaEval's instructions in the order of its file, to which its covariates refer."""
    return digest([row["instruction"] for row in annotations]) == _IN_ORDER


def replayed(annotations: Sequence[Row]) -> dict[str, int]:
    """What the completions that rows hold say of the judge.

    completions: rows that hold one with log-probs
    disagree:    those of which the preference is not what the log-probs of "m" and "M" say, in one order or the other
    otherwise:   those that were not asked for with one token and its five likeliest
    """
    completions = [(row, found) for row in annotations if (found := _positions(row)) is not None]
    return {
        "completions": len(completions),
        "disagree": sum(not _agrees(row, positions) for row, positions in completions),
        "otherwise": sum(
            [len(position["top_logprobs"]) for position in positions] != [OFFICIAL.top_logprobs]
            for _, positions in completions
            if positions  # an empty reply has no token
        ),
    }


def _of_names(annotations: Sequence[Row]) -> list[str]:
    found = []
    names = sorted({str(row.get("annotator") or "") for row in annotations} - {ANNOTATOR})
    if OFFICIAL.model in names:
        found.append(f"how {OFFICIAL.model} was asked is not recorded; a judge.json says it")
        names.remove(OFFICIAL.model)
    if names:
        named = ", ".join(repr(name) for name in names if name) or "not named"
        found.append(f"the judge is {named}; the official one is {ANNOTATOR}")
    return found


def _of_record(annotations: Sequence[Row], record: JudgeRecord) -> list[str]:
    found = record_departures(record, "pairs", annotations)
    found += identity_departures(record, OFFICIAL, [OFFICIAL.model])
    if record.prompts != {PROMPT: _PROMPT}:
        found.append("the judge's prompt is not the official one")
    if record.parser.get("rules") != dict(_RULES):
        found.append("preferences are not read by the official rules")
    return found


def _positions(row: Row) -> list[dict[str, Any]] | None:
    """The positions of a stored completion; None where there is none, or none of this shape."""
    try:
        positions = row["raw_completion"]["logprobs"]["content"]
        if all({"token", "logprob"} <= set(token) for each in positions for token in each["top_logprobs"]):
            return list(positions)
    except (KeyError, TypeError):
        pass
    return None


def _agrees(row: Row, positions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a preference, if there is one, is what the first position says, whichever output was shown first."""
    drawn = preference({"preference": row.get("preference_as_drawn", row.get("preference"))})
    if drawn is None or not positions:
        return drawn is None
    chance = {token["token"]: math.exp(token["logprob"]) for token in positions[0]["top_logprobs"]}
    both = chance.get("m", 0.0) + chance.get("M", 0.0)
    if not both:
        return False
    first = 2 - chance.get("m", 0.0) / both
    return min(abs(drawn - first), abs(drawn - (3 - first))) <= _ROUNDED
