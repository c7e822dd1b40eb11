"""How good the alerting rules of an org are, counted from what they did and what people did."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import median

from django.db import models

from apps.alerting.enums import RuleKind
from apps.alerting.models import Rule, RuleGroup
from apps.alerting.services.firing_counts import FiringCounts, Key, firing_counts
from detectviz.contracts.types import JsonObject

DEFAULT_WINDOW = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What another app knows of alerts, by fingerprint.

    ``notifications`` are how often an alert was told of, ``silenced`` how often it was silenced.
    """

    notifications: Mapping[str, int] = field(default_factory=dict)
    silenced: Mapping[str, int] = field(default_factory=dict)


ToldSource = Callable[[int, datetime], Told]  # of an org, since a time
_sources: list[ToldSource] = []


def told_source_register(source: ToldSource) -> None:
    """Let an app that stands above say what became of alerts; called when apps are ready."""
    _sources.append(source)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleQuality:
    """One alerting rule over a time; seconds are None where nothing was to measure.

    Every firing is ``acted_on`` (acknowledged, assigned, snoozed, commented, closed, silenced),
    ``untouched`` (it ended and nobody did a thing) or still open and untouched. ``flap_index`` is
    the share of firings that began within an hour of the same alert's last end.
    """

    uid: str
    group: str
    rule: str
    for_ms: int
    firings: int = 0
    series: int = 0
    acted_on: int = 0
    untouched: int = 0
    acknowledge_s: float | None = None
    night: int = 0
    returned: int = 0
    mean_s: float | None = None
    notifications: int = 0

    @property
    def precision(self) -> float | None:
        """The share of what was worth somebody's hand, of all that is decided."""
        decided = self.acted_on + self.untouched
        return self.acted_on / decided if decided else None

    @property
    def flap_index(self) -> float | None:
        """How often it fired again within the hour."""
        return self.returned / self.firings if self.firings else None


def rule_quality_list(
    *,
    org: models.Model,
    groups: "models.QuerySet[RuleGroup]",
    now: datetime,
    window: timedelta = DEFAULT_WINDOW,
    zone: tzinfo = UTC,
) -> list[RuleQuality]:
    """Return every alerting rule of ``groups`` as it did in the window before ``now``.

    Rules of one name in a group are one. The number of queries does not depend on the rules.
    """
    since = now - window
    counted = firing_counts(org, since=since, now=now, zone=zone)
    told, silenced = _told(org, since, counted)
    found = {}
    rules = Rule.objects.for_org(org).filter(group__in=groups, kind=RuleKind.ALERTING)
    names = ("group__name", "name", "uid", "for_ms")
    for group, name, uid, for_ms in rules.order_by("group__name", "position").values_list(*names):
        key = (group, name)
        if key not in found:
            row = counted.get(key) or FiringCounts()
            quiet = min(silenced[key], row.untouched)
            found[key] = RuleQuality(
                uid=uid,
                group=group,
                rule=name,
                for_ms=for_ms,
                firings=row.firings,
                series=row.series,
                acted_on=row.acted_on + quiet,
                untouched=row.untouched - quiet,
                acknowledge_s=median(row.acknowledged_s) if row.acknowledged_s else None,
                night=row.night,
                returned=row.returned,
                mean_s=row.mean_s,
                notifications=told[key],
            )
    return list(found.values())


def _told(
    org: models.Model, since: datetime, counted: Mapping[Key, FiringCounts]
) -> tuple[Counter[Key], Counter[Key]]:
    """Return notifications and silences by rule, from the apps that know."""
    found = [source(org.pk, since) for source in _sources]
    told: Counter[Key] = Counter()
    silenced: Counter[Key] = Counter()
    for key, counts in counted.items():
        for each in found:
            told[key] += _sum(each.notifications, counts.alerts.keys())
            silenced[key] += _sum(each.silenced, counts.alerts.keys())
    return told, silenced


def _sum(counts: Mapping[str, int], fingerprints: AbstractSet[str]) -> int:
    return sum(counts[one] for one in counts.keys() & fingerprints) if counts else 0


def rule_quality_json(rows: Sequence[RuleQuality]) -> list[JsonObject]:
    """Return qualities for an answer."""
    return [
        {
            "rule_group": row.group,
            "rule": row.rule,
            "firings": row.firings,
            "series": row.series,
            "acted_on": row.acted_on,
            "untouched": row.untouched,
            "precision": row.precision,
            "median_acknowledge_s": row.acknowledge_s,
            "night_firings": row.night,
            "flap_index": row.flap_index,
            "mean_duration_s": row.mean_s,
            "notifications": row.notifications,
        }
        for row in rows
    ]
