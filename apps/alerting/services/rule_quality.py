"""How good the alerting rules of an org are, counted from what they did and what people did."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import median

from django.db import models

from apps.alerting.enums import HandlingAction, RuleKind
from apps.alerting.models import AlertEvent, HandlingEvent, Rule, RuleGroup
from apps.alerting.services.firing_counts import firing_counts
from detectviz.contracts.types import JsonObject

DEFAULT_WINDOW = timedelta(days=30)

Key = tuple[str, str]  # the group's name and the rule's


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
    waited = _acknowledgements(org, since)
    told, silenced = _told(org, since)
    found = {}
    rules = Rule.objects.for_org(org).filter(group__in=groups, kind=RuleKind.ALERTING)
    for rule in rules.select_related("group").order_by("group__name", "position"):
        key = (rule.group.name, rule.name)
        if key not in found:
            row, times = counted.get(key, {}), waited.get(key)
            quiet = min(silenced[key], row.get("untouched", 0))
            found[key] = RuleQuality(
                uid=rule.uid,
                group=key[0],
                rule=key[1],
                for_ms=rule.for_ms,
                firings=row.get("firings", 0),
                series=row.get("series", 0),
                acted_on=row.get("acted_on", 0) + quiet,
                untouched=row.get("untouched", 0) - quiet,
                acknowledge_s=median(times) if times else None,
                night=row.get("night", 0),
                returned=row.get("returned", 0),
                mean_s=row.get("mean_s"),
                notifications=told[key],
            )
    return list(found.values())


def _acknowledgements(org: models.Model, since: datetime) -> dict[Key, list[float]]:
    """Return by rule the seconds to the first acknowledgement of each firing."""
    rows = HandlingEvent.objects.for_org(org).filter(
        at__gte=since, action=HandlingAction.ACKNOWLEDGE, after_s__isnull=False
    )
    first: dict[tuple[Key, str, datetime], float] = {}
    names = ("group_name", "rule_name", "fingerprint", "fired_at", "after_s")
    for group, rule, fingerprint, fired_at, after_s in rows.order_by("at").values_list(*names):
        first.setdefault(((group, rule), fingerprint, fired_at), after_s)
    times: dict[Key, list[float]] = defaultdict(list)
    for (key, _, _), after_s in first.items():
        times[key].append(after_s)
    return times


def _told(org: models.Model, since: datetime) -> tuple[Counter[Key], Counter[Key]]:
    """Return notifications and silences by rule, from the apps that know."""
    found = [source(org.pk, since) for source in _sources]
    told: Counter[Key] = Counter()
    silenced: Counter[Key] = Counter()
    if not any(each.notifications or each.silenced for each in found):
        return told, silenced
    names = ("group_name", "rule_name", "fingerprint")
    rows = AlertEvent.objects.for_org(org).filter(at__gte=since).order_by()
    for group, rule, fingerprint in rows.values_list(*names).distinct():
        for each in found:
            told[group, rule] += each.notifications.get(fingerprint, 0)
            silenced[group, rule] += each.silenced.get(fingerprint, 0)
    return told, silenced


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
