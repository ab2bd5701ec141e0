"""What one stage leaves running for the next: a costly thing, such as a generation engine, kept by name."""

from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar


class Closable(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


class Keeper:
    """Holds at most one thing: whoever asks for another has the first one closed before it is made."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._thing: Any = None

    def obtain(self, name: str, make: Callable[[], T]) -> T:
        """The thing that is kept under this name, or a new one. Equal names must mean things that can stand in for
        each other. Raises what `make` raises."""
        if name != self._name:
            self.close()
            self._thing, self._name = make(), name
        thing: T = self._thing
        return thing

    def close(self) -> None:
        """Closes what is kept, if anything is."""
        thing, self._thing, self._name = self._thing, None, None
        if thing is not None:
            thing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
