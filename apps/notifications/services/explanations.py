"""Would somebody be told? The routes of an alert that begins at a time, and what holds it back.

Asked of the suppressors that a flush asks, with an alert that is not there. What only the present
knows (what else fires, what flaps, which datasources are down) is taken to be then as it is now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models

from apps.alerting.services.fingerprints import fingerprint
from apps.monitors.services.maintained import maintained_then
from apps.notifications.enums import SuppressionKind
from apps.notifications.models import ContactPoint, RoutedAlert, RoutingTree
from apps.notifications.services.answers import cause_phrase
from apps.notifications.services.causes import Cause, Snapshot, SuppressionInput
from apps.notifications.services.maintained import MONITOR_LABEL
from apps.notifications.services.route_times import (
    Intervals,
    RouteTime,
    intervals_of,
    is_open,
    opens_at,
    route_times,
)
from apps.notifications.services.routing import (
    Route,
    build_tree,
    group_key,
    group_labels,
    match_routes,
)
from apps.notifications.services.suppression import causes_of, point_cause, point_receivers
from apps.notifications.services.suppressors import inhibitor_of
from detectviz.contracts.durations import format_duration

_TIMES = frozenset({SuppressionKind.ACTIVE_TIME, SuppressionKind.MUTE_TIME})


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteExplained:
    """What one route would do with an alert at a time. No causes: its contact point is told."""

    route: Route
    group_labels: Mapping[str, str]
    group_key: str
    times: Sequence[RouteTime]
    receivers: Sequence[str]
    causes: Sequence[Cause]
    zone: tzinfo

    @property
    def is_told(self) -> bool:
        """Say whether somebody would be told by this route."""
        return not self.causes

    @property
    def sentence(self) -> str:
        """Say it in words."""
        point = self.route.contact_point
        who = f"Contact point {point}" if point else "Nobody"
        if self.is_told:
            return f"{who} would be told."
        reasons = "; and ".join(cause_phrase(cause.as_json(), self.zone) for cause in self.causes)
        return f"{who} {'would not be told' if point else 'would be told'}: {reasons}."

    def as_json(self) -> dict[str, Any]:
        """Return it for an answer."""
        route = self.route
        return {
            "route": route.path,
            "matchers": [str(matcher) for matcher in route.matchers],
            "contact_point": route.contact_point,
            "receivers": list(self.receivers),
            "escalation": route.escalation or None,
            "group_labels": dict(self.group_labels),
            "group_key": self.group_key,
            "group_wait": format_duration(route.group_wait_ms / 1000),
            "group_interval": format_duration(route.group_interval_ms / 1000),
            "repeat_interval": format_duration(route.repeat_interval_ms / 1000),
            "continue": route.does_continue,
            "active_time_intervals": _as_json(self.times, is_mute=False),
            "mute_time_intervals": _as_json(self.times, is_mute=True),
            "told": self.is_told,
            "causes": [cause.as_json() for cause in self.causes],
            "sentence": self.sentence,
        }


def routes_explain(
    *,
    org: models.Model,
    labels: Mapping[str, str],
    now: datetime,
    at: datetime | None = None,
    location: str = "UTC",
    is_named: bool = True,
) -> list[RouteExplained]:
    """Return, in order, the routes an alert with these labels would take at a time (now).

    Sentences give the ends of causes by the clocks of ``location``. Without ``is_named`` causes
    say their kind alone: for whoever may read routes but no alerts.
    """
    tree = RoutingTree.objects.for_org(org.pk).first()
    if tree is None:
        return []
    asked = _Asked(org=org, labels=labels, at=at or now, zone=ZoneInfo(location), is_named=is_named)
    snapshot = asked.snapshot(now)
    intervals = intervals_of(org.pk)
    points = {point.name: point for point in ContactPoint.objects.for_org(org.pk)}
    return [
        _explained(route, asked, snapshot, intervals, points.get(route.contact_point))
        for route in match_routes(build_tree(tree.root), labels)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    org: models.Model
    labels: Mapping[str, str]
    at: datetime
    zone: ZoneInfo
    is_named: bool

    @property
    def alert(self) -> RoutedAlert:
        """The alert that is not there; what is known of one with its labels goes with it."""
        key = fingerprint(dict(self.labels))
        known = RoutedAlert.objects.for_org(self.org.pk).filter(fingerprint=key).first()
        return RoutedAlert(
            org_id=self.org.pk,
            fingerprint=key,
            labels=dict(self.labels),
            starts_at=self.at,
            rule_group=known.rule_group if known else "",
            rule=known.rule if known else "",
        )

    def snapshot(self, now: datetime) -> Snapshot:
        """Return the world at the time: what is planned then, what fires now."""
        monitor = self.labels.get(MONITOR_LABEL, "")
        windows = maintained_then(self.org, monitor, self.at) if monitor else []
        known = {
            "inhibitor": inhibitor_of(Snapshot(org_id=self.org.pk, now=now)),
            "maintained_monitors": {monitor: windows} if windows else {},
        }
        return Snapshot.of_known(org_id=self.org.pk, now=self.at, known=known)


def _explained(
    route: Route,
    asked: _Asked,
    snapshot: Snapshot,
    intervals: Intervals,
    point: ContactPoint | None,
) -> RouteExplained:
    alert = asked.alert
    given = SuppressionInput(
        org_id=asked.org.pk,
        alerts=[alert],
        now=asked.at,
        snapshot=snapshot,
        options=route.options,
    )
    causes = list(causes_of(given).get(alert.fingerprint, ()))
    if not asked.is_named:
        causes = [Cause(kind=each.kind) for each in causes]
    nobody = point_cause(route.contact_point, point)
    times = route_times(route, intervals, asked.at)
    ending = None if is_open(times) else opens_at(route, intervals, asked.at)
    return RouteExplained(
        route=route,
        group_labels=group_labels(route, asked.labels),
        group_key=group_key(route, asked.labels),
        times=times,
        receivers=[each["name"] for each in point_receivers(point)],
        causes=[_ending(each, ending) for each in [*causes, nobody] if each],
        zone=asked.zone,
    )


def _ending(cause: Cause, opens: datetime | None) -> Cause:
    """Give what a route's times hold back the end that was found out."""
    return replace(cause, until=opens) if cause.kind in _TIMES else cause


def _as_json(times: Sequence[RouteTime], *, is_mute: bool) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "applies": each.is_inside} for each in times if each.is_mute is is_mute
    ]
