"""Who consumes integration events in this product."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationEvent:
    """What a subscriber is handed: the row of the outbox, never what a broker claims."""

    uid: str
    type: str
    version: int
    subject: str
    org_id: int
    data: Mapping[str, Any]
    at: datetime


Work = Callable[[IntegrationEvent], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """One consumer. With ``org_id`` it is told of that org only.

    ``is_wanted`` is asked at each event where what is wanted changes while the process runs.
    """

    name: str
    types: frozenset[str]
    work: Work
    org_id: int | None = None
    is_wanted: Callable[[str], bool] | None = None

    def wants(self, type_name: str, org_id: int) -> bool:
        """Say whether an event of this type and org is for it."""
        return type_name in self.wanted_types() and self.org_id in {None, org_id}

    def wanted_types(self) -> frozenset[str]:
        """Return the types it waits for now."""
        if self.is_wanted is None:
            return self.types
        return frozenset(name for name in self.types if self.is_wanted(name))


subscribers: dict[str, Subscriber] = {}


def consumes(
    name: str,
    types: Iterable[str],
    *,
    org_id: int | None = None,
    is_wanted: Callable[[str], bool] | None = None,
) -> Callable[[Work], Work]:
    """Register the decorated function under a lasting ``name`` (import it in ``ready``).

    It runs in a transaction, under the org of the event, after the publisher's commit; its writes
    and the mark that it is done commit together, so they happen once. An exception is tried again.
    """

    def register(work: Work) -> Work:
        subscribers[name] = Subscriber(
            name=name, types=frozenset(types), work=work, org_id=org_id, is_wanted=is_wanted
        )
        return work

    return register
