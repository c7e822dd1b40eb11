"""Active alerts and their groups as Alertmanager's API lists them, made for ten thousands."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import orjson
from django.db import models
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from apps.alerting.selectors import evaluated_at
from apps.notifications.enums import SuppressionKind
from apps.notifications.models import AlertGroup, RoutedAlert
from apps.notifications.services.causes import Cause, Snapshot, SuppressionInput
from apps.notifications.services.label_order import alert_key, label_set_key
from apps.notifications.services.suppression import causes_of

LabelTest = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What holds an alert back; ids of silences, fingerprints of inhibiting alerts, names."""

    silenced_by: Sequence[str] = ()
    inhibited_by: Sequence[str] = ()
    muted_by: Sequence[str] = ()

    @property
    def is_suppressed(self) -> bool:
        """True when something does."""
        return bool(self.silenced_by or self.inhibited_by or self.muted_by)


ACTIVE = Status()


@dataclass(slots=True, kw_only=True)
class ListedAlert:
    """One active alert; label and annotation maps as JSON text, as they are stored."""

    pk: int
    fingerprint: str
    labels_json: str
    annotations_json: str
    starts_at: datetime
    ends_at: datetime | None
    updated_at: datetime
    generator_url: str
    rule_group: str
    rule: str
    is_resolved: bool = False
    status: Status = ACTIVE
    receivers: Sequence[str] = ()
    _labels: Mapping[str, str] | None = field(default=None)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels, decoded when somebody asks."""
        if self._labels is None:
            self._labels = orjson.loads(self.labels_json)
        return self._labels


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGroup:
    """Alerts that are told together."""

    labels: Mapping[str, str]
    receiver: str
    muted_by: Sequence[str]
    alerts: Sequence[ListedAlert]


def alerts_listed(
    *, org: models.Model, now: datetime, wants: LabelTest | None = None
) -> list[ListedAlert]:
    """Return the active alerts of an org by fingerprint, with receivers and what holds them back.

    ``wants`` chooses by labels; None takes all and leaves the labels undecoded.
    """
    alerts = [each for each in _active(org, now) if wants is None or wants(each.labels)]
    receivers = _receivers(org)
    for alert in alerts:
        alert.receivers = receivers.get(alert.pk, ())
    statuses = _statuses(org, now, alerts)
    for alert in alerts:
        alert.status = statuses.get(alert.fingerprint, ACTIVE)
    return alerts


def groups_listed(
    *, org: models.Model, now: datetime, wants: LabelTest | None = None
) -> list[ListedGroup]:
    """Return the groups of active alerts in Alertmanager's order."""
    by_key = {alert.pk: alert for alert in alerts_listed(org=org, now=now, wants=wants)}
    members: dict[int, list[ListedAlert]] = defaultdict(list)
    for alert_pk, group_pk in _memberships(org).values_list("alerts", "pk"):
        if alert_pk in by_key:
            members[group_pk].append(by_key[alert_pk])
    snapshot = Snapshot(org_id=org.pk, now=now)
    groups = [
        ListedGroup(
            labels=group.group_labels,
            receiver=group.contact_point,
            muted_by=_muted_by(group, snapshot),
            alerts=sorted(members[group.pk], key=lambda alert: alert_key(alert.labels)),
        )
        for group in AlertGroup.objects.for_org(org).filter(pk__in=list(members))
    ]
    return sorted(groups, key=lambda group: (label_set_key(group.labels), group.receiver))


def _active(org: models.Model, now: datetime) -> Iterable[ListedAlert]:
    rows = RoutedAlert.objects.for_org(org).filter(is_resolved=False)
    rows = rows.filter(Q(is_external=False) | Q(ends_at__gt=now)).order_by("fingerprint")
    found = [
        ListedAlert(
            pk=pk,
            fingerprint=fingerprint,
            labels_json=labels,
            annotations_json=annotations,
            starts_at=starts_at,
            ends_at=ends_at,
            updated_at=updated_at,
            generator_url=generator_url,
            rule_group=rule_group,
            rule=rule,
        )
        for (
            pk,
            fingerprint,
            labels,
            annotations,
            starts_at,
            ends_at,
            updated_at,
            generator_url,
            rule_group,
            rule,
        ) in rows.values_list(
            "pk",
            "fingerprint",
            Cast("labels", TextField()),
            Cast("annotations", TextField()),
            "starts_at",
            "ends_at",
            "updated_at",
            "generator_url",
            "rule_group",
            "rule",
        ).iterator(chunk_size=5000)
    ]
    over = {each.rule_group for each in found if each.ends_at is not None and each.ends_at <= now}
    evaluated = evaluated_at(org, over) if over else {}
    return [each for each in found if not _has_lapsed(each, evaluated, now)]


def _has_lapsed(
    alert: ListedAlert, evaluated: Mapping[str, datetime | None], now: datetime
) -> bool:
    """Say whether an alert's rule went on past its end without renewing it."""
    if alert.ends_at is None or alert.ends_at > now:
        return False
    looked_at = evaluated.get(alert.rule_group, now)
    return looked_at is not None and looked_at >= alert.ends_at


def _receivers(org: models.Model) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    pairs = _memberships(org).exclude(contact_point="").order_by("contact_point")
    for pk, name in pairs.values_list("alerts", "contact_point").iterator(chunk_size=5000):
        if name not in found[pk]:
            found[pk].append(name)
    return found


def _memberships(org: models.Model) -> "models.QuerySet[AlertGroup]":
    rows: models.QuerySet[AlertGroup] = AlertGroup.objects.for_org(org)
    return rows.filter(alerts__isnull=False)


def _statuses(
    org: models.Model, now: datetime, alerts: Sequence[ListedAlert]
) -> Mapping[str, Status]:
    snapshot = Snapshot(org_id=org.pk, now=now)
    # Suppressors read what both have; ten thousand model instances would take longer than all else.
    asked = cast("Sequence[RoutedAlert]", alerts)
    given = SuppressionInput(org_id=org.pk, alerts=asked, now=now, snapshot=snapshot)
    return {one: _status(causes) for one, causes in causes_of(given).items()}


def _status(causes: Iterable[Cause]) -> Status:
    silenced, inhibited, muted = list[str](), list[str](), list[str]()
    for cause in causes:
        match cause.kind:
            case SuppressionKind.SILENCE:
                silenced.append(cause.uid)
            case SuppressionKind.INHIBITION:
                inhibited.append(cause.uid)
            case _:
                muted.append(cause.name or cause.kind.value)
    return Status(silenced_by=silenced, inhibited_by=sorted(set(inhibited)), muted_by=muted)


def _muted_by(group: AlertGroup, snapshot: Snapshot) -> Sequence[str]:
    """Return what mutes a whole group: the times of its route."""
    if not group.route_options:
        return ()
    probe = RoutedAlert(org_id=snapshot.org_id, fingerprint="", labels={})
    given = SuppressionInput(
        org_id=snapshot.org_id,
        alerts=[probe],
        now=snapshot.now,
        snapshot=snapshot,
        options=group.route_options,
    )
    kinds = {SuppressionKind.MUTE_TIME, SuppressionKind.ACTIVE_TIME}
    return [cause.name for cause in causes_of(given).get("", ()) if cause.kind in kinds]
