"""What a profile asks of its engine, said before anything runs: not after the trainings that come before answers."""

from collections.abc import Iterator

from eval_suites.engines import check_adapters
from eval_suites.vllm_engine import check_temperature
from harness.profile import Profile
from harness.served import served_as_adapter
from results.errors import UserError


def check_engine(profile: Profile) -> None:
    """Raises UserError where the engine is not installed, or cannot answer as a suite asks or with the study's adapters

    on this machine's device.
    """
    _ = profile.engine.libraries
    if profile.engine.kind != "vllm":
        return
    if profile.lora is not None and served_as_adapter(profile.engine, profile.lora):
        from trainers.devices import this_device

        check_adapters(profile.engine, str(this_device()))
    for where, temperature in _temperatures(profile):
        try:
            check_temperature(temperature)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None


def _temperatures(profile: Profile) -> Iterator[tuple[str, float]]:
    """Every temperature at which a suite has answers drawn, with its place in the profile."""
    suites = profile.suites
    for name, sampling in (
        ("alpaca_eval", suites.alpaca_eval and suites.alpaca_eval.sampling),
        ("math", suites.math and suites.math.sampling),
    ):
        if sampling:
            yield f"suites.{name}.sampling.temperature", sampling.temperature
    if suites.mt_bench:
        place = "suites.mt_bench.sampling"
        yield f"{place}.other_temperature", suites.mt_bench.sampling.other_temperature
        for category, temperature in suites.mt_bench.sampling.temperatures.items():
            yield f"{place}.temperatures.{category}", temperature
