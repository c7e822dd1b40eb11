"""What may keep a notification back: the words suppressors speak."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from apps.notifications.enums import SuppressionKind
from apps.notifications.services.alert_facts import AlertFacts

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason: its kind, the name of what it is (a silence, a rule), words, and its end.

    ``uid`` is the id of a silence, or the fingerprint of the alert that inhibits.
    """

    kind: SuppressionKind
    name: str = ""
    uid: str = ""
    detail: str = ""
    until: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what the ledger and the alert keep."""
        until = None if self.until is None else self.until.isoformat()
        return {
            "kind": self.kind.value,
            "name": self.name,
            "uid": self.uid,
            "detail": self.detail,
            "until": until,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What suppressors look up once for many groups of an org; lives for a moment."""

    org_id: int
    now: datetime
    _known: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_known(cls, *, org_id: int, now: datetime, known: Mapping[str, Any]) -> "Snapshot":
        """Return one that holds ``known`` by key already: a world that is not the stored one."""
        return cls(org_id=org_id, now=now, _known=dict(known))

    def recall(self, key: str, load: Callable[[], T]) -> T:
        """Return what was loaded under ``key``, loading it the first time."""
        if key not in self._known:
            self._known[key] = load()
        found: T = self._known[key]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """One snapshot for each org, made when it is first asked for."""

    now: datetime
    _by_org: dict[int, Snapshot] = field(default_factory=dict)

    def of(self, org_id: int) -> Snapshot:
        """Return the org's."""
        if org_id not in self._by_org:
            self._by_org[org_id] = Snapshot(org_id=org_id, now=self.now)
        return self._by_org[org_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionInput:
    """The alerts of one group about to be told, and what its route says.

    ``options`` is ``AlertGroup.route_options``; empty where no route is meant (what holds for the
    alerts wherever they go).
    """

    org_id: int
    alerts: Sequence[AlertFacts]
    now: datetime
    snapshot: Snapshot
    options: Mapping[str, Any] = field(default_factory=dict)


Causes = Mapping[str, Sequence[Cause]]
"""Reasons by fingerprint; alerts that nothing holds back are left out."""
Suppressor = Callable[[SuppressionInput], Causes]
