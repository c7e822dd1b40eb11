"""When and how one person is told: their rules and quiet hours, as a pure function."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.oncall.services.rotations import instant

MAIL = "mail"  # the method everybody with an address has
SEVERITIES = ("critical", "error", "warning", "info")
_WORDS = {"page": "critical", "high": "error", "major": "error", "medium": "warning"}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Quiet hours of a clock; severities of ``excepted`` break through."""

    zone: ZoneInfo
    start: time
    end: time
    excepted: frozenset[str]

    def ends_at(self, at: datetime) -> datetime | None:
        """Return when the quiet hours end that a moment lies in, None outside of them."""
        today = at.astimezone(self.zone).date()
        for day in (today - _DAY, today):
            last = day if self.end > self.start else day + _DAY
            end = instant(self.zone, last, self.end)
            if instant(self.zone, day, self.start) <= at < end:
                return end
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A method and when to use it."""

    method: str
    due_at: datetime


def urgency_of(labels: Iterable[Mapping[str, str]]) -> str:
    """Return the worst severity among alerts; one that says none counts as an error."""
    found = [_severity(one) for one in labels]
    return min(found, key=SEVERITIES.index, default="error")


def notices_planned(
    *,
    rules: Sequence[Mapping[str, Any]],
    methods: Sequence[str],
    quiet: Quiet | None,
    severity: str,
    now: datetime,
) -> list[Planned]:
    """Return how to tell one person, the soonest first; each method once.

    Without a rule for the severity every method is used at once. A rule whose method is gone
    counts for nothing.
    """
    chosen = [
        (rule["method"], rule["delay_s"])
        for rule in rules
        if rule["method"] in methods and (not rule["severities"] or severity in rule["severities"])
    ]
    if not chosen:
        chosen = [(method, 0) for method in methods]
    soonest: dict[str, int] = {}
    for method, delay_s in chosen:
        soonest[method] = min(delay_s, soonest.get(method, delay_s))
    planned = [
        Planned(method=method, due_at=_after_quiet(quiet, severity, now + timedelta(seconds=wait)))
        for method, wait in soonest.items()
    ]
    return sorted(planned, key=lambda one: one.due_at)


def _after_quiet(quiet: Quiet | None, severity: str, at: datetime) -> datetime:
    if quiet is None or severity in quiet.excepted:
        return at
    return quiet.ends_at(at) or at


def _severity(labels: Mapping[str, str]) -> str:
    word = labels.get("severity", "").lower()
    word = _WORDS.get(word, word)
    return word if word in SEVERITIES else "error"
