"""Work that makes many objects and no garbage, kept from the collector of reference cycles."""

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def uncollected(work: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """`work` without collections: nothing that it makes is garbage before its end, and the collector would look
    through all of it over and over."""

    @wraps(work)
    def paused(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        collecting = gc.isenabled()
        gc.disable()
        try:
            return work(*arguments, **named)
        finally:
            if collecting:
                gc.enable()

    return paused
