"""What a model has become, measured on held-out records: the same numbers whatever the objective."""

from harness.kinds import PROBES
from harness.kinds.probes import ProbesSpec
from harness.stage import Input, Produced, Stage
from harness.suites.contract import Planner, SuiteConfig


class Probes(SuiteConfig):
    """Held-out datasets: no method may train on them."""

    demonstrations: str
    pairs: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See SuiteConfig."""
        return ("probes/held_out_nll", "probes/kl_to_base", "probes/pair_accuracy")


def plan(config: Probes, model: Produced, label: str, planner: Planner) -> Stage:
    """One stage measures."""
    inputs: dict[str, Input] = {"model": model, "base": Produced(planner.base, "model")}
    for role, name in (("demonstrations", config.demonstrations), ("pairs", config.pairs)):
        if name is not None:
            inputs[role] = planner.dataset(name)
    spec = ProbesSpec(micro_batch_tokens=planner.profile.micro_batch_tokens)
    return planner.add(Stage(PROBES, spec, inputs, label=f"probes {label}"))
