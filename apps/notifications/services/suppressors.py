"""The suppressors that Alertmanager has: inhibition, active times, mute times, silences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from apps.notifications.enums import SuppressionKind
from apps.notifications.models import InhibitionRule, RoutedAlert, Silence, TimeInterval
from apps.notifications.services.causes import Cause, Causes, Snapshot, SuppressionInput
from apps.notifications.services.folders import is_of_folder
from apps.notifications.services.inhibition import Inhibitor, Labelled, inhibition_of
from apps.notifications.services.matcher_index import MatcherIndex
from apps.notifications.services.matchers import parse_matcher
from apps.notifications.services.members import alerts_lapsed
from apps.notifications.services.recurrence import muting_until
from apps.notifications.services.time_intervals import any_contains

_SHORTEST_WORDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Muting:
    """A silence that mutes now."""

    pk: int
    cause: Cause
    folder_id: int | None


class _Source(NamedTuple):
    """What is asked of an alert that may inhibit others; there may be very many."""

    fingerprint: str
    labels: Mapping[str, str]
    rule_group: str
    ends_at: datetime | None


def inhibition_causes(given: SuppressionInput) -> Causes:
    """Say which alerts are muted by a firing one."""
    inhibitor = given.snapshot.recall("inhibitor", lambda: inhibitor_of(given.snapshot))
    if inhibitor is None:
        return {}
    found: dict[str, list[Cause]] = {}
    for alert in given.alerts:
        for rule, source in inhibitor.inhibitors(alert.labels):
            cause = Cause(
                kind=SuppressionKind.INHIBITION,
                name=rule.name,
                uid=source[0],
                detail=f"{_named(source[1])} is firing",
            )
            found.setdefault(alert.fingerprint, []).append(cause)
    return found


def active_time_causes(given: SuppressionInput) -> Causes:
    """Hold every alert back outside all of the route's active times."""
    names = given.options.get("active_time_intervals", ())
    if not names or _containing(given, names):
        return {}
    return _for_all(
        given,
        Cause(
            kind=SuppressionKind.ACTIVE_TIME,
            name=", ".join(names),
            detail="the route is active at these times only",
        ),
    )


def mute_time_causes(given: SuppressionInput) -> Causes:
    """Hold every alert back inside one of the route's mute times."""
    names = given.options.get("mute_time_intervals", ())
    inside = _containing(given, names) if names else []
    if not inside:
        return {}
    return _for_all(
        given,
        Cause(
            kind=SuppressionKind.MUTE_TIME,
            name=", ".join(inside),
            detail="the route is muted at these times",
        ),
    )


def silence_causes(given: SuppressionInput) -> Causes:
    """Say which alerts are silenced, and by which silences."""
    index = given.snapshot.recall("silences", lambda: silences_muting(given.snapshot))
    if not index:
        return {}
    found: dict[str, list[Cause]] = {}
    for alert in given.alerts:
        causes: dict[int, Cause] = {}
        for silence in index.find(alert.labels):
            if is_of_folder(alert, silence.folder_id, given.snapshot):
                causes[silence.pk] = silence.cause
        if causes:
            found[alert.fingerprint] = list(causes.values())
    return found


def silences_muting(snapshot: Snapshot) -> MatcherIndex[_Muting]:
    """Return the silences of an org that mute now."""
    rows = Silence.objects.for_org(snapshot.org_id).filter(
        starts_at__lte=snapshot.now, ends_at__gt=snapshot.now
    )
    return silences_index(rows.order_by("pk"), snapshot.now)


def silences_index(rows: Iterable[Silence], now: datetime) -> MatcherIndex[_Muting]:
    """Return those of some silences that mute at a time, ready to be asked."""
    index: MatcherIndex[_Muting] = MatcherIndex()
    for row in rows:
        if (until := muting_until(row, now)) is not None:
            muting = _Muting(pk=row.pk, cause=_silenced(row, until), folder_id=row.folder_id)
            for texts in row.matcher_sets:
                index.add([parse_matcher(text) for text in texts], muting)
    return index


def firing_labelled(snapshot: Snapshot) -> Sequence[Labelled]:
    """Return every firing alert of an org: what may inhibit, silenced or not."""
    firing = RoutedAlert.objects.for_org(snapshot.org_id).filter(is_resolved=False)
    rows = [_Source._make(row) for row in firing.values_list(*_Source._fields)]
    over = alerts_lapsed(rows, org_id=snapshot.org_id, now=snapshot.now)
    return [(row.fingerprint, row.labels) for row in rows if row.fingerprint not in over]


def inhibitor_of(snapshot: Snapshot) -> Inhibitor | None:
    """Return what says who is inhibited by what fires; None without rules."""
    rules = InhibitionRule.objects.for_org(snapshot.org_id).filter(is_enabled=True)
    read = [inhibition_of(row) for row in rules.order_by("name")]
    return Inhibitor(read, firing_labelled(snapshot)) if read else None


def _silenced(row: Silence, until: datetime) -> Cause:
    said = f"{row.created_by}: {row.comment}" if row.created_by else row.comment
    return Cause(
        kind=SuppressionKind.SILENCE,
        name=row.name,
        uid=row.uid,
        detail=said[:_SHORTEST_WORDS],
        until=until,
    )


def _containing(given: SuppressionInput, names: Sequence[str]) -> list[str]:
    intervals: Mapping[str, Any] = given.snapshot.recall(
        "time_intervals", lambda: _intervals(given.org_id)
    )
    return [name for name in names if any_contains(intervals.get(name, ()), given.now)]


def _intervals(org_id: int) -> dict[str, Any]:
    return dict(TimeInterval.objects.for_org(org_id).values_list("name", "intervals"))


def _for_all(given: SuppressionInput, cause: Cause) -> Causes:
    return {alert.fingerprint: [cause] for alert in given.alerts}


def _named(labels: Mapping[str, str]) -> str:
    pairs = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{{{pairs}}}"[:_SHORTEST_WORDS]
