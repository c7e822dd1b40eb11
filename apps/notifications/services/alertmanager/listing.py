"""Active alerts and their groups as Alertmanager's API lists them, made for ten thousands."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
    """One active alert; maps as JSON text and times as text (UTC), as the database writes them."""

    pk: int
    fingerprint: str
    labels_json: str
    annotations_json: str
    starts_text: str
    ends_text: str | None
    updated_text: str
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

    @property
    def starts_at(self) -> datetime:
        """When it began, read when somebody asks."""
        return datetime.fromisoformat(self.starts_text).replace(tzinfo=UTC)


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
    rows = rows.filter(Q(is_external=False) | Q(ends_at__gt=now))
    lapsed = _lapsed(org, rows, now)
    found = rows.order_by("fingerprint").values_list(
        "pk",
        "fingerprint",
        _text("labels"),
        _text("annotations"),
        _text("starts_at"),
        _text("ends_at"),
        _text("updated_at"),
        "generator_url",
        "rule_group",
        "rule",
    )
    return [
        ListedAlert(
            pk=pk,
            fingerprint=fingerprint,
            labels_json=labels,
            annotations_json=annotations,
            starts_text=starts,
            ends_text=ends,
            updated_text=updated,
            generator_url=generator_url,
            rule_group=rule_group,
            rule=rule,
        )
        for (
            pk,
            fingerprint,
            labels,
            annotations,
            starts,
            ends,
            updated,
            generator_url,
            rule_group,
            rule,
        ) in found.iterator(chunk_size=5000)
        if pk not in lapsed
    ]


def _text(column: str) -> Cast:
    """Take a column as the database writes it: reading maps and times takes longest of all."""
    return Cast(column, TextField())


def _lapsed(
    org: models.Model, rows: "models.QuerySet[RoutedAlert]", now: datetime
) -> AbstractSet[int]:
    """Return the alerts whose rule went on past their end without renewing them."""
    over = list(rows.filter(ends_at__lte=now).values_list("pk", "rule_group", "ends_at"))
    evaluated = evaluated_at(org, {group for _, group, _ in over}) if over else {}
    return {
        pk
        for pk, group, ends_at in over
        if ends_at is not None
        and (looked_at := evaluated.get(group, now)) is not None
        and looked_at >= ends_at
    }


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
    given = SuppressionInput(org_id=org.pk, alerts=alerts, now=now, snapshot=snapshot)
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
