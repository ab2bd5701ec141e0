"""Hypothesis strategies for what the world draws."""

from random import Random

from hypothesis import strategies as st

from harness.microworld.sampling import World, draw_world, fitting_forms, in_some_forms
from harness.microworld.spec import WorldSpec
from harness.microworld.tasks import Task

_WORLD: World = draw_world(WorldSpec())


def _drawn(kind: str, seed: int, forms: int) -> Task:
    rng = Random(seed)
    task: Task = {"skill": _WORLD.skill, "composition": _WORLD.composition, "fact": _WORLD.fact}[kind](rng, "train")
    return in_some_forms(rng, task, min(forms, len(fitting_forms(task))))


tasks = st.builds(_drawn, st.sampled_from(("skill", "composition", "fact")), st.integers(0, 2**32), st.integers(0, 2))
