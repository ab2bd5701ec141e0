"""What other installed packages offer by entry points: suites, judges, adapters of datasets."""

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from results.errors import UserError


class Offered(NamedTuple):
    """An object of a package, under the name that profiles call it by."""

    name: str
    value: Any
    package: str


def load_offered(group: str, wanted: type | tuple[type, ...], taken: Iterable[str]) -> list[Offered]:
    """All that packages offer in an entry-point group, by name.

    Raises UserError, which names the package, for what cannot be imported, is not of the `wanted` type, or has a name
    that is `taken`.
    """
    known, found = set(taken), []
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        package = point.dist.name if point.dist else "a package"
        said = f"{package} ({group}: {point.name} = {point.value})"
        try:
            value = point.load()
        except Exception as error:
            raise UserError(f"{said} cannot be loaded: {type(error).__name__}: {error}") from error
        if not isinstance(value, wanted):
            names = " or ".join(each.__name__ for each in (wanted if isinstance(wanted, tuple) else (wanted,)))
            raise UserError(f"{said} is of type {type(value).__name__}, and {names} is wanted")
        if point.name in known:
            raise UserError(f"{said}: there is another {point.name!r} in bridgebench or in a package that is installed")
        known.add(point.name)
        found.append(Offered(point.name, value, package))
    return found
