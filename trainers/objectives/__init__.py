"""Objectives: one file each, a pure function of per-token log-probs in float32."""

from trainers.objectives.contract import Loss, Objective, Responses, Settings
from trainers.objectives.loading import load_objective
from trainers.objectives.registry import find_objective, objective, objectives

__all__ = [
    "Loss",
    "Objective",
    "Responses",
    "Settings",
    "find_objective",
    "load_objective",
    "objective",
    "objectives",
]
