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
    """One consumer. With ``org_id`` it is told of that org only."""

    name: str
    types: frozenset[str]
    work: Work
    org_id: int | None = None

    def wants(self, type_name: str, org_id: int) -> bool:
        """Say whether an event of this type and org is for it."""
        return type_name in self.types and self.org_id in {None, org_id}


subscribers: dict[str, Subscriber] = {}


def consumes(
    name: str, types: Iterable[str], *, org_id: int | None = None
) -> Callable[[Work], Work]:
    """Register the decorated function under a lasting ``name`` (import it in ``ready``).

    It runs in a transaction, under the org of the event, after the publisher's commit; its writes
    and the mark that it is done commit together, so they happen once. An exception is tried again.
    """

    def register(work: Work) -> Work:
        subscribers[name] = Subscriber(name=name, types=frozenset(types), work=work, org_id=org_id)
        return work

    return register
