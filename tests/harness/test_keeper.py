import pytest

from harness.keeper import Keeper


class Thing:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_name_brings_back_what_it_named() -> None:
    with Keeper() as keeper:
        first = keeper.obtain("one", Thing)
        assert keeper.obtain("one", Thing) is first
        assert first.closed == 0
        second = keeper.obtain("two", Thing)
        assert (first.closed, second.closed) == (1, 0)
    assert (first.closed, second.closed) == (1, 1)
    assert keeper.obtain("two", Thing) is not second


def test_the_first_is_closed_before_the_second_is_made() -> None:
    keeper = Keeper()
    first = keeper.obtain("one", Thing)

    def make() -> Thing:
        assert first.closed == 1, "there may be no memory for both"
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        keeper.obtain("two", make)
    assert keeper.obtain("one", Thing) is not first, "what is closed does not come back"
