"""Libraries that not everybody has: one line that says which extra brings them, before any work."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version

from results.errors import UserError

_DISTRIBUTION = "bridgebench"
_REQUIREMENT = re.compile(r"([\w.-]+).*;.*\bextra == ['\"]([\w-]+)['\"]")
_FOR_DEVELOPERS = "dev"
# What the extra of everything is called: it brings what others only bring along.
_ALL = "study"


def check_installed(wanted: Mapping[str, str]) -> None:
    """Raises UserError for distributions that are not installed; each is wanted by somebody, who is named."""
    missing = [name for name in wanted if not _is_installed(name)]
    if missing:
        extras = ",".join(sorted({_extra(name) for name in missing}))
        raise UserError(
            f"{wanted[missing[0]]} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            f"installed: pip install '{_DISTRIBUTION}[{extras}]'"
        )


@cache
def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _extra(name: str) -> str:
    """The first of our extras that asks for a distribution by its name."""
    found = (_REQUIREMENT.match(line) for line in requires(_DISTRIBUTION) or ())
    extras = sorted(each[2] for each in found if each and _plain(each[1]) == _plain(name))
    return next((extra for extra in extras if extra != _FOR_DEVELOPERS), _ALL)


def _plain(name: str) -> str:
    """A distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
