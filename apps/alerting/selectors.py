"""Alerts, their history and rule groups as pages and programs ask for them."""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import models
from django.db.models import Case, Count, Exists, IntegerField, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from apps.alerting.enums import AlertState, HandlingAction, RuleHealth
from apps.alerting.models import (
    Alert,
    AlertEvent,
    AlertHandling,
    AnomalyRule,
    HandlingEvent,
    Rule,
    RuleGroup,
    Slo,
)
from detectviz.resources.errors import NotFoundError

BROKEN_STATES = (AlertState.FIRING, AlertState.RECOVERING, AlertState.PENDING)
FIRING_STATES = (AlertState.FIRING, AlertState.RECOVERING)
_FIRING = FIRING_STATES
_IS_FIRING_CHANGE = Q(state__in=_FIRING) ^ Q(previous__in=_FIRING)
_CHANGE_FIELDS = ("org_id", "fingerprint", "labels", "group_name", "rule_name", "state", "at")


def alert_queryset(org: models.Model | int) -> models.QuerySet[Alert]:
    """Return an org's alerts, pending to resolved, with what their envelope shows."""
    rows: models.QuerySet[Alert] = Alert.objects.for_org(org)
    known = rows.exclude(state=AlertState.INACTIVE)  # over, kept only because it may flap
    return known.select_related("org", "folder", "rule__group")


def alert_list(
    org: models.Model | int, *, states: Sequence[str] = BROKEN_STATES
) -> models.QuerySet[Alert]:
    """Return what is broken now: firing first, then recovering and pending, newest first."""
    rank = Case(
        *(When(state=state, then=Value(at)) for at, state in enumerate(BROKEN_STATES)),
        default=Value(len(BROKEN_STATES)),
        output_field=IntegerField(),
    )
    rows = alert_queryset(org).filter(state__in=states)
    return rows.alias(rank=rank).order_by("rank", "-active_at", "name")


def alert_open_list(
    org: models.Model | int, *, states: Sequence[str] = BROKEN_STATES
) -> models.QuerySet[Alert]:
    """Return the same but for what was closed by hand and is not over yet."""
    return alert_list(org, states=states).filter(~_is_closed(org) | Q(state=AlertState.RESOLVED))


def alert_closed_list(org: models.Model | int) -> models.QuerySet[Alert]:
    """Return what was closed by hand while its condition lasts, newest first."""
    rows = alert_queryset(org).filter(_is_closed(org), state__in=BROKEN_STATES)
    return rows.order_by("-active_at", "name")


def _is_closed(org: models.Model | int) -> Exists:
    closed = AlertHandling.objects.for_org(org).filter(closed_at__isnull=False)
    return Exists(
        closed.filter(fingerprint=OuterRef("fingerprint"), starts_at__gte=OuterRef("active_at"))
    )


def alert_handled_queryset(org: models.Model | int, now: datetime) -> models.QuerySet[Alert]:
    """Return an org's alerts, to be filtered by how they stand with people at a time.

    Filters: ``is_acknowledged``, ``is_snoozed``, ``is_closed`` and ``assigned_to`` (a name or "").
    """
    of_firing = AlertHandling.objects.for_org(org).filter(
        fingerprint=OuterRef("fingerprint"), starts_at__gte=OuterRef("active_at")
    )
    lasting = Q(acknowledged_until__isnull=True) | Q(acknowledged_until__gt=now)
    return alert_queryset(org).alias(
        is_acknowledged=Exists(of_firing.filter(lasting, acknowledged_at__isnull=False)),
        is_snoozed=Exists(of_firing.filter(snoozed_until__gt=now)),
        is_closed=Exists(of_firing.filter(closed_at__isnull=False)),
        assigned_to=Coalesce(Subquery(of_firing.values("assignee")[:1]), Value("")),
    )


def alert_get(org: models.Model | int, name: str) -> Alert | None:
    """Return one alert by its name or, as notifications link to it, by its fingerprint."""
    return alert_queryset(org).filter(Q(name=name) | Q(fingerprint=name)).first()


def external_alert_orgs() -> list[int]:
    """Return the ids of the orgs that list alerts of other programs."""
    rows = Alert.objects.across_orgs(reason="foreign alerts are tidied up in every org")
    return list(rows.filter(rule=None).order_by().values_list("org_id", flat=True).distinct())


def alerts_about(*, monitor: str = "", rule: str = "") -> Q:
    """Return what narrows alerts to a monitor's, by label, and to a rule's, by its uid."""
    wanted = Q(labels__monitor=monitor) if monitor else Q()
    return wanted & Q(rule__uid=rule) if rule else wanted


def alert_counts(org: models.Model | int, about: Q | None = None) -> dict[str, int]:
    """Return how many alerts, or those of ``alerts_about``, are in each state; one query."""
    rows = Alert.objects.for_org(org).filter(about or Q())
    counted = rows.filter(~_is_closed(org) | Q(state=AlertState.RESOLVED)).values("state")
    found = {row["state"]: row["count"] for row in counted.annotate(count=Count("id")).order_by()}
    return {state.value: found.get(state.value, 0) for state in AlertState}


def alert_names(org: models.Model | int, names: Sequence[str]) -> models.QuerySet[Alert]:
    """Return the alerts of these names."""
    return alert_queryset(org).filter(name__in=names)


def handling_map(org: models.Model | int, alerts: Collection[Alert]) -> dict[str, AlertHandling]:
    """Return what people decided about the firing of each of these alerts, by fingerprint."""
    began = {alert.fingerprint: alert.active_at for alert in alerts}
    rows = AlertHandling.objects.for_org(org).filter(fingerprint__in=began)
    return {row.fingerprint: row for row in rows if row.speaks_of(began[row.fingerprint])}


def comment_counts(org: models.Model | int, fingerprints: Sequence[str]) -> dict[str, int]:
    """Return how many comments are kept about each of these alerts that has any."""
    rows = HandlingEvent.objects.for_org(org).filter(
        fingerprint__in=fingerprints, action=HandlingAction.COMMENT
    )
    counted = rows.order_by().values("fingerprint").annotate(count=Count("id"))
    return {row["fingerprint"]: row["count"] for row in counted}


def handlings_quieting(org: models.Model | int) -> dict[str, AlertHandling]:
    """Return the acknowledged and snoozed of an org, by fingerprint.

    The caller asks whether they still speak.
    """
    rows = AlertHandling.objects.for_org(org).exclude(
        acknowledged_at__isnull=True, snoozed_until__isnull=True
    )
    return {row.fingerprint: row for row in rows}


def handling_history(
    org: models.Model | int, fingerprint: str, *, limit: int = 100
) -> models.QuerySet[HandlingEvent]:
    """Return what people did about an alert, the newest first."""
    rows: models.QuerySet[HandlingEvent] = HandlingEvent.objects.for_org(org)
    return rows.filter(fingerprint=fingerprint).order_by("-at", "-id")[:limit]


def closed_starts(org: models.Model | int) -> dict[str, datetime]:
    """Return the firings that were closed by hand: fingerprint to the start of the last one."""
    rows = AlertHandling.objects.for_org(org).filter(closed_at__isnull=False)
    return dict(rows.values_list("fingerprint", "starts_at"))


def alert_history(
    org: models.Model | int, fingerprint: str, *, limit: int = 100
) -> models.QuerySet[AlertEvent]:
    """Return the transitions of one alert, the newest first; they outlive it."""
    rows: models.QuerySet[AlertEvent] = AlertEvent.objects.for_org(org)
    return rows.filter(fingerprint=fingerprint).order_by("-at", "-id")[:limit]


def alert_event_list(org: models.Model | int, *, limit: int = 100) -> models.QuerySet[AlertEvent]:
    """Return the newest transitions of all alerts of an org."""
    rows: models.QuerySet[AlertEvent] = AlertEvent.objects.for_org(org)
    return rows.order_by("-at", "-id")[:limit]


def fired_since(
    org: models.Model | int, since: datetime, *, limit: int
) -> models.QuerySet[AlertEvent]:
    """Return transitions to firing since a time, the newest first, with few of their fields."""
    rows: models.QuerySet[AlertEvent] = AlertEvent.objects.for_org(org)
    began = rows.filter(at__gte=since, state=AlertState.FIRING).exclude(previous__in=_FIRING)
    shown = began.only("org_id", "fingerprint", "labels", "group_name", "at")
    return shown.order_by("-at", "-id")[:limit]


def firing_changes(
    org: models.Model | int, since: datetime, until: datetime, *, limit: int
) -> models.QuerySet[AlertEvent]:
    """Return transitions into and out of firing within a time, the oldest first."""
    rows: models.QuerySet[AlertEvent] = AlertEvent.objects.for_org(org)
    within = rows.filter(_IS_FIRING_CHANGE, at__gte=since, at__lt=until)
    return within.only(*_CHANGE_FIELDS).order_by("at", "id")[:limit]


def firing_at(
    org: models.Model | int, moment: datetime, *, limit: int
) -> models.QuerySet[AlertEvent]:
    """Return the transitions to firing of what was firing at a time, the oldest first."""
    rows: models.QuerySet[AlertEvent] = AlertEvent.objects.for_org(org)
    changes = rows.filter(_IS_FIRING_CHANGE, at__lt=moment)
    later = changes.filter(fingerprint=OuterRef("fingerprint")).filter(
        Q(at__gt=OuterRef("at")) | Q(at=OuterRef("at"), id__gt=OuterRef("id"))
    )
    began = changes.filter(state__in=_FIRING).exclude(Exists(later))
    return began.only(*_CHANGE_FIELDS).order_by("at", "id")[:limit]


def rulegroup_queryset(org: models.Model | int) -> models.QuerySet[RuleGroup]:
    """Return an org's rule groups with their rules, ready for the envelope."""
    rows: models.QuerySet[RuleGroup] = RuleGroup.objects.for_org(org)
    return rows.select_related("org", "folder").prefetch_related(
        models.Prefetch("rules", Rule.objects.for_org(org).order_by("position"))
    )


def evaluated_at(org: models.Model | int, groups: Collection[str]) -> dict[str, datetime | None]:
    """Return when each of the org's rule groups of these names was last evaluated."""
    rows = RuleGroup.objects.for_org(org).filter(name__in=groups)
    return dict(rows.values_list("name", "last_eval_at"))


def rulegroup_folders(org: models.Model | int) -> dict[str, int]:
    """Return the folder of each of the org's rule groups that lies in one."""
    rows = RuleGroup.objects.for_org(org).filter(folder__isnull=False)
    return dict(rows.values_list("name", "folder_id"))


def rulegroup_list(org: models.Model | int) -> models.QuerySet[RuleGroup]:
    """Return rule groups with ``firing_count``, ``pending_count``, ``rule_count``, ``error_count``.

    ``worst_state`` is the worst of their alerts: firing, pending or inactive. One query.
    """
    rows: models.QuerySet[RuleGroup] = RuleGroup.objects.for_org(org).select_related("folder")
    alerts = "rules__alerts"
    counted = rows.annotate(
        rule_count=Count("rules", distinct=True),
        error_count=Count("rules", filter=Q(rules__health=RuleHealth.ERROR), distinct=True),
        firing_count=Count(alerts, filter=Q(rules__alerts__state__in=_FIRING), distinct=True),
        pending_count=Count(
            alerts, filter=Q(rules__alerts__state=AlertState.PENDING), distinct=True
        ),
    )
    worst = Case(
        When(firing_count__gt=0, then=Value(AlertState.FIRING.value)),
        When(pending_count__gt=0, then=Value(AlertState.PENDING.value)),
        default=Value(AlertState.INACTIVE.value),
        output_field=models.CharField(),
    )
    return counted.annotate(worst_state=worst).order_by("name")


def rulegroup_plain_list(org: models.Model | int) -> models.QuerySet[RuleGroup]:
    """Return the org's rule groups and nothing beside them."""
    rows: models.QuerySet[RuleGroup] = RuleGroup.objects.for_org(org)
    return rows


def slo_list(org: models.Model | int) -> models.QuerySet[Slo]:
    """Return an org's service level objectives by name."""
    rows: models.QuerySet[Slo] = Slo.objects.for_org(org)
    return rows.select_related("folder").order_by("name")


def anomaly_rule_list(org: models.Model | int) -> models.QuerySet[AnomalyRule]:
    """Return an org's watches on what is unusual by name."""
    rows: models.QuerySet[AnomalyRule] = AnomalyRule.objects.for_org(org)
    return rows.select_related("folder").order_by("name")


def slo_get(org: models.Model | int, name: str) -> Slo:
    """Return one SLO; raise NotFoundError."""
    found = slo_list(org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def anomaly_rule_get(org: models.Model | int, name: str) -> AnomalyRule:
    """Return one anomaly rule; raise NotFoundError."""
    found = anomaly_rule_list(org).filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found


def group_events(org: models.Model | int, group: str, *, limit: int) -> list[AlertEvent]:
    """Return the latest transitions of the alerts of a rule group."""
    rows: models.QuerySet[AlertEvent] = AlertEvent.objects.for_org(org)
    return list(rows.filter(group_name=group).order_by("-at", "-id")[:limit])


def rule_get(org: models.Model | int, uid: str) -> Rule | None:
    """Return one rule with its group."""
    rows: models.QuerySet[Rule] = Rule.objects.for_org(org)
    return rows.select_related("org", "group__org", "group__folder").filter(uid=uid).first()


def rulegroup_get(org: models.Model | int, name: str) -> RuleGroup | None:
    """Return one group with the same annotations as ``rulegroup_list`` and its rules."""
    rows = rulegroup_list(org).filter(name=name)
    return rows.prefetch_related(
        models.Prefetch("rules", rule_queryset(org).order_by("position"))
    ).first()


def rule_queryset(org: models.Model | int) -> models.QuerySet[Rule]:
    """Return rules with ``firing_count`` and ``pending_count`` of their alerts."""
    rows: models.QuerySet[Rule] = Rule.objects.for_org(org)
    return rows.annotate(
        firing_count=Count("alerts", filter=Q(alerts__state__in=_FIRING)),
        pending_count=Count("alerts", filter=Q(alerts__state=AlertState.PENDING)),
    )


def alerts_by_fingerprint(
    org: models.Model | int, fingerprints: Sequence[str], *, states: Sequence[str]
) -> list[Alert]:
    """Return the alerts of these fingerprints that are in one of some states, once each."""
    rows = alert_queryset(org).filter(fingerprint__in=fingerprints, state__in=states)
    return list({row.fingerprint: row for row in rows.order_by("active_at", "id")}.values())
