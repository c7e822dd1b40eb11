"""Which monitors depend on which, and whose parents are down."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models

from apps.monitors.enums import MonitorStateName
from apps.monitors.models import Monitor

_MOST_NAMES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedParent:
    """A monitor that others depend on and that is down since ``since``.

    Its failure can have begun at ``began_at``: after its last good check, before its retries.
    """

    name: str
    title: str
    since: datetime
    began_at: datetime


def failed_parents(
    org: models.Model | int, names: Collection[str]
) -> dict[str, list[FailedParent]]:
    """Return for each monitor what it depends on, itself or through others, that is down.

    Those whose parents are well are left out. One query per level of dependency.
    """
    ways = dependency_ways(org, names)
    wanted = {name for ancestors in ways.values() for name in ancestors}
    down = _down(org, wanted) if wanted else {}
    found = {
        name: [down[ancestor] for ancestor in ancestors if ancestor in down]
        for name, ancestors in ways.items()
    }
    return {name: parents for name, parents in found.items() if parents}


def dependent_monitors(org: models.Model | int) -> dict[str, list[str]]:
    """Return what the org's monitors depend on themselves, of those that do, by name."""
    rows = Monitor.objects.for_org(org).exclude(depends_on=[])
    return dict(rows.order_by().values_list("name", "depends_on"))


def dependency_ways(org: models.Model | int, names: Collection[str]) -> dict[str, list[str]]:
    """Return for each monitor every name it depends on, the nearest first."""
    direct = _direct(org, names)
    return {name: _ancestors(name, direct) for name in names if direct.get(name)}


def dependency_way_back(org: models.Model | int, name: str, parents: Iterable[str]) -> list[str]:
    """Return the way by which a monitor would depend on itself, empty when it would not."""
    wanted = list(parents)
    direct = {**_direct(org, wanted, without=name), name: wanted}
    ways: dict[str, list[str]] = {one: [name, one] for one in wanted}
    waiting = list(ways)
    while waiting:
        at = waiting.pop(0)
        if at == name:
            return ways[at]
        for parent in direct.get(at, ()):
            if parent not in ways:
                ways[parent] = [*ways[at], parent]
                waiting.append(parent)
    return []


def _direct(
    org: models.Model | int, names: Collection[str], without: str = ""
) -> dict[str, list[str]]:
    """Return what monitors and their ancestors depend on themselves."""
    found: dict[str, list[str]] = {}
    waiting = set(names) - {without}
    while waiting:
        level = sorted(waiting)
        rows: dict[str, list[str]] = {}
        for start in range(0, len(level), _MOST_NAMES):
            some = Monitor.objects.for_org(org).filter(name__in=level[start : start + _MOST_NAMES])
            rows |= dict(some.order_by().values_list("name", "depends_on"))
        found |= {name: [] for name in level}
        found |= rows
        waiting = {one for parents in rows.values() for one in parents} - found.keys() - {without}
    return found


def _ancestors(name: str, direct: Mapping[str, list[str]]) -> list[str]:
    found: dict[str, None] = {}
    waiting = list(direct.get(name, ()))
    while waiting:
        one = waiting.pop(0)
        if one not in found and one != name:
            found[one] = None
            waiting += direct.get(one, ())
    return list(found)


def _down(org: models.Model | int, names: Collection[str]) -> dict[str, FailedParent]:
    found: dict[str, FailedParent] = {}
    wanted = sorted(names)
    for start in range(0, len(wanted), _MOST_NAMES):
        rows = (
            Monitor.objects.for_org(org)
            .select_related("state")
            .filter(
                name__in=wanted[start : start + _MOST_NAMES],
                is_enabled=True,
                state__state=MonitorStateName.DOWN,
            )
        )
        for row in rows:
            tried_s = row.interval_s + row.retries * row.retry_interval_s
            found[row.name] = FailedParent(
                name=row.name,
                title=row.title or row.name,
                since=row.state.since,
                began_at=row.state.since - timedelta(seconds=tried_s),
            )
    return found
