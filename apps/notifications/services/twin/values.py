"""The words of the twin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.notifications.models import ContactPoint, Silence
from apps.notifications.services.causes import Cause
from apps.notifications.services.inhibition import Inhibition
from apps.notifications.services.routing import Route

Listener = tuple[str, str]
"""A contact point and one of its receivers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertWord:
    """One change of one alert: it began to fire, or is over, at ``at``."""

    at: datetime
    fingerprint: str
    labels: Mapping[str, str]
    is_resolved: bool
    starts_at: datetime
    rule_group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of a configuration that says who is told; ``folders`` are those of rule groups."""

    org_id: int
    root: Route
    points: Mapping[str, ContactPoint] = field(default_factory=dict)
    silences: Sequence[Silence] = ()
    inhibitions: Sequence[Inhibition] = ()
    intervals: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    folders: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One notification. Alerts are (fingerprint, start of the firing)."""

    at: datetime
    listener: Listener
    group_key: str
    firing: frozenset[str]
    resolved: frozenset[str]
    starts: Mapping[str, datetime]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One firing of one alert, from its start to its end (None: it lasts)."""

    fingerprint: str
    labels: Mapping[str, str]
    starts_at: datetime


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a replay came to.

    ``held`` is the latest chain of reasons by (fingerprint, start, contact point), ``routed`` the
    contact points each firing was routed to.
    """

    told: list[Told] = field(default_factory=list)
    firings: dict[tuple[str, datetime], Firing] = field(default_factory=dict)
    held: dict[tuple[str, datetime, str], Sequence[Cause]] = field(default_factory=dict)
    routed: dict[tuple[str, datetime], set[str]] = field(default_factory=dict)
    work: int = 0
