"""Work without collections ends with the collector as it was, however it ends."""

import gc

import pytest

from results.collecting import uncollected


@uncollected
def divided(number: int, by: int) -> tuple[float, bool]:
    return number / by, gc.isenabled()


@pytest.mark.parametrize("before", [True, False])
def test_the_collector_is_as_it_was(before: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        assert divided(1, by=2) == (0.5, False)
        with pytest.raises(ZeroDivisionError):
            divided(1, 0)
        assert gc.isenabled() == before
    finally:
        (gc.enable if was else gc.disable)()
