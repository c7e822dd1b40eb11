"""What refers to a datasource: each app above that asks datasources tells of its own."""

from collections.abc import Callable, Sequence

from apps.datasources.errors import InUseError
from apps.datasources.models import Datasource

UsesFinder = Callable[[Datasource], Sequence[str]]
"""Returns what uses a datasource, as users call it: ``rule HighLoad of the group web``."""

_TOLD = 5
_finders: dict[str, UsesFinder] = {}


def datasource_uses_register(name: str, finder: UsesFinder) -> None:
    """Have ``finder`` asked before a datasource is deleted; ``name`` is the resource's kind."""
    _finders[name] = finder


def datasource_uses(datasource: Datasource) -> list[str]:
    """Return all that uses a datasource."""
    return [use for finder in _finders.values() for use in finder(datasource)]


def unused_require(datasource: Datasource) -> None:
    """Raise InUseError naming what would be left without its datasource."""
    uses = datasource_uses(datasource)
    if uses:
        more = f" and {len(uses) - _TOLD} more" if len(uses) > _TOLD else ""
        raise InUseError(datasource.name, f"{', '.join(uses[:_TOLD])}{more}")
