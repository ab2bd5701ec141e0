"""The two files that a new objective begins as: a loss that can be checked at once, and a profile that trains it."""

import re
from collections.abc import Iterable
from pathlib import Path

from harness.method import built_on, method_name
from harness.profile import Profile, Step
from results.errors import UserError
from trainers.objectives import find_objective

OBJECTIVE = '''\
"""{title}: an objective of one's own. Edit the formula, then: bridgebench objectives check {file}.py"""

from pydantic import Field

from trainers.objectives import Loss, Responses, Settings, objective


class {type}Settings(Settings):
    """Hyperparameters: each has a type, a default and where it comes from. A profile may set them under `settings`."""

    gamma: float = Field(default=1.0, ge=1, description="how much less a token counts the likelier it is; ours")


# signal: what a row carries. "nothing": a demonstration. "pair": the chosen answer's row, then the rejected one's.
#         "binary": responses.score is 1 (liked) or 0. "score": responses.score lies in [0, 1].
# unit: what an item is. Here a token; "sequence" or "pair" for a loss of whole answers.
# needs_reference: whether it reads responses.reference, the log-probs of the model that training starts from.
# monotone: whether no gradient ever makes a preferred answer less likely: claimed here, and tested by the check.
@objective(
    "{name}",
    settings={type}Settings,
    signal="nothing",
    unit="token",
    needs_reference=False,
    formula="−(1 − p_t)^γ log p_t",
    source="ours",
    provenance="derived",
    monotone=True,
)
def {function}(responses: Responses, settings: {type}Settings) -> Loss:
    """Focal-weighted negative log-likelihood, an item a token. (Lists of objectives show this line.)"""
    # responses.policy: log-probs of the response tokens under the model, float32 [rows, tokens]
    # responses.mask:   which of them are real, bool [rows, tokens]; what lies outside must not count
    log_p = responses.policy[responses.mask]
    hard = -log_p.expm1()  # 1 − p_t, exact where p_t is near 1
    # A sum over items, and how many they are: the training loop divides once, over the whole batch and all devices.
    return Loss(total=-(hard**settings.gamma * log_p).sum(), items=responses.mask.sum())
'''

PROFILE = """\
# {title} beside the methods of {parent_name}: trains and evaluates what is new, all else comes from the cache.
#   bridgebench run --method {file}.py
# Everything of {parent_name} stands here too unless it is written anew: seeds, data, budgets, suites, the judge …
extends: {parent}
name: {parent_name}+{method}
title: "{title} beside: {parent_title}"

adds:
  methods:
    {method}:
      about: "what this method is, for the page"
      steps:
        # A step may also be the name of a method of {parent_name}, which then comes first.
        # data, budget and learning rate are those of {like}; a list of learning rates is a sweep, and wants data with
        # 'validation' (see docs/profiles.md).
        - {{objective: {file}.py, data: {data}, budget: {budget}, learning_rate: {rate}, settings: {{gamma: 1.0}}}}
{pairs}
# The row that the others are compared with: it saw as many responses.
leaderboard: {{baseline: {like}}}
"""

PAIRS = """\
        # An objective of pairs is trained as in {like}, which then is its baseline too:
{first}        # - {{objective: {file}.py, data: {data}, budget: {budget}, learning_rate: {rate}}}
"""


def new_objective(name: str, parent: Profile, extends: str, folder: Path) -> tuple[Path, Path]:
    """Writes `name.py` and `name.yaml` into the folder; returns their paths.

    Raises UserError where the name is none for a Python file, a file is there already, or the profile trains no method
    on demonstrations that the new one could be like.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"{name}: a name has small letters, digits and _ only, and begins with a letter: my_loss")
    order = [*built_on(parent, parent.leaderboard.baseline), *parent.methods]
    like = next((each for each in order if [step.objective for step in parent.steps(each)] == ["sft"]), None)
    if like is None:
        raise UserError(f"{parent.name} has no method of one SFT step that a new objective could be trained like")
    step = parent.steps(like)[0]
    words = {
        "name": method_name(name),
        "method": method_name(name),
        "file": name,
        "function": name,
        "type": "".join(part.capitalize() for part in name.split("_")),
        "title": name.replace("_", " ").capitalize(),
        "parent": extends,
        "parent_name": parent.name,
        "parent_title": parent.title,
        "like": like,
        "data": step.data,
        "budget": step.budget,
        "rate": _rate(step),
        "pairs": _pairs(parent, order, name),
    }
    paths = folder / f"{name}.py", folder / f"{name}.yaml"
    for path in paths:
        if path.exists():
            raise UserError(f"{path}: is there already; choose another name, or remove it")
    if not folder.is_dir():
        raise UserError(f"--to {folder}: no such folder")
    for path, text in zip(paths, (OBJECTIVE, PROFILE), strict=True):
        path.write_text(text.format(**words), encoding="utf-8")
    return paths


def _pairs(parent: Profile, order: Iterable[str], file: str) -> str:
    """How a method of the profile learns from pairs, for one that is to; nothing where none does."""
    for name in order:
        *first, last = parent.methods[name].steps
        if isinstance(last, Step) and find_objective(last.objective).signal == "pair":
            names = "".join(f"        # - {each}\n" for each in first if isinstance(each, str))
            own = {"data": last.data, "budget": last.budget, "rate": _rate(last)}
            return PAIRS.format(like=name, file=file, first=names, **own)
    return ""


def _rate(step: Step) -> str:
    rate = step.learning_rate[0] if isinstance(step.learning_rate, tuple) else step.learning_rate
    return f"{rate:.1e}"
