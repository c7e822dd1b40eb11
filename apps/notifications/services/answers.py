"""Why was I not told? What the ledger says, and what other rows say that it need not repeat."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil
from typing import Any

from django.db import models

from apps.notifications.enums import DeliveryStatus, SuppressionEnding, SuppressionKind
from apps.notifications.models import (
    AlertGroup,
    ContactPoint,
    Delivery,
    NotificationRecord,
    RoutedAlert,
    SuppressionEntry,
)
from apps.notifications.services.causes import Cause
from apps.notifications.services.suppression import point_cause, point_receivers
from detectviz.contracts.durations import format_duration

MOST = 200
_PHRASES: Mapping[str, str] = {
    SuppressionKind.INHIBITION: "it is inhibited by rule {name}, as {detail}",
    SuppressionKind.ACTIVE_TIME: "it is outside the active times {name}",
    SuppressionKind.MUTE_TIME: "it is inside the mute times {name}",
    SuppressionKind.SILENCE: "it is silenced by {name} ({detail})",
    SuppressionKind.MAINTENANCE: "it is in maintenance {name} ({detail})",
    SuppressionKind.DEPENDENCY: "{name}, which it depends on, is down",
    SuppressionKind.ACKNOWLEDGED: "it was acknowledged by {name}",
    SuppressionKind.SNOOZED: "it was snoozed by {name}",
    SuppressionKind.FLAPPING: "it changes too often ({detail})",
    SuppressionKind.GROUPING: "{detail}",
    SuppressionKind.DEDUP: "{detail}",
    SuppressionKind.NO_ROUTE: "{detail}",
    SuppressionKind.DISABLED: "{detail}",
    SuppressionKind.RATE_LIMITED: "there is a limit on how much is sent ({detail})",
    SuppressionKind.FAILED_DELIVERY: "the delivery failed: {detail}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One contact point (or one receiver of it) that was not told of one alert, and why."""

    fingerprint: str
    labels: Mapping[str, str]
    contact_point: str
    receiver: str
    group_key: str
    kind: str
    causes: Sequence[Mapping[str, Any]]
    since: datetime | None
    until: datetime | None
    ended_at: datetime | None = None
    ending: str = ""

    @property
    def sentence(self) -> str:
        """Say it in words."""
        who = f"Contact point {self.contact_point}" if self.contact_point else "Nobody"
        whom = f"{who}, receiver {self.receiver}," if self.receiver else who
        is_over = self.ended_at is not None
        told = ("was told" if is_over else "is told") if whom == "Nobody" else None
        verb = told or ("was not told" if is_over else "is not told")
        reasons = "; and ".join(cause_phrase(cause) for cause in self.causes)
        if self.kind == SuppressionKind.DEDUP and not is_over:
            return f"{whom} knows of it: {reasons}."
        return f"{whom} {verb}{_times(self)}: {reasons}."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What one receiver of a group knows, and what is on its way to it."""

    records: Mapping[str, NotificationRecord] = field(default_factory=dict)
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)


def suppressions_of(*, org: models.Model, fingerprint: str, now: datetime) -> list[Suppression]:
    """Return why each contact point is not told of an alert now, then why it was not before.

    Every contact point its alert is routed to has a row as long as it fires and is not being told;
    a receiver that knows of it has one saying until when it is not told again.
    """
    current: list[Suppression] = []
    alert = RoutedAlert.objects.for_org(org).filter(fingerprint=fingerprint).first()
    entries = list(
        SuppressionEntry.objects.for_org(org)
        .filter(fingerprint=fingerprint)
        .order_by("-since", "-pk")[:MOST]
    )
    open_rows = [_of_entry(row) for row in entries if row.ended_at is None]
    if alert is not None and not alert.is_resolved:
        held = {row.key_digest for row in entries if row.ended_at is None and not row.receiver}
        said = {(row.group_key, row.receiver) for row in open_rows}
        for group in alert.groups.exclude(key_digest__in=held).order_by("group_key"):
            found = _standing_of(group, alert, now)
            current += [one for one in found if (one.group_key, one.receiver) not in said]
    return [*open_rows, *current, *(_of_entry(row) for row in entries if row.ended_at)]


def alerts_matching(*, org: models.Model, labels: Mapping[str, str], limit: int) -> list[str]:
    """Return the fingerprints of alerts with all these labels, the latest first."""
    rows = RoutedAlert.objects.for_org(org).order_by("-starts_at")
    found: list[str] = []
    for fingerprint, own in rows.values_list("fingerprint", "labels").iterator():
        if labels.items() <= own.items():
            found.append(fingerprint)
            if len(found) == limit:
                break
    return found


def suppression_entries(
    *, org: models.Model, kind: str = "", contact_point: str = "", is_open: bool | None = None
) -> "models.QuerySet[SuppressionEntry]":
    """Return the ledger of an org, the newest rows first."""
    rows: models.QuerySet[SuppressionEntry] = SuppressionEntry.objects.for_org(org)
    if kind:
        rows = rows.filter(kind=kind)
    if contact_point:
        rows = rows.filter(contact_point=contact_point)
    if is_open is not None:
        rows = rows.filter(ended_at__isnull=is_open)
    return rows.order_by("-since", "-pk")


def suppression_of(row: SuppressionEntry) -> Suppression:
    """Return a row of the ledger as an answer."""
    return _of_entry(row)


def _of_entry(row: SuppressionEntry) -> Suppression:
    return Suppression(
        fingerprint=row.fingerprint,
        labels=row.labels,
        contact_point=row.contact_point,
        receiver=row.receiver,
        group_key=row.group_key,
        kind=row.kind,
        causes=row.causes,
        since=row.since,
        until=row.until,
        ended_at=row.ended_at,
        ending=row.ending,
    )


def repeat_of(
    group: AlertGroup, alert: RoutedAlert, record: NotificationRecord, now: datetime
) -> Suppression:
    """Return that a receiver knows of an alert and is told again at the group's next repeat."""
    return _standing(group, alert, record.receiver, _dedup(group, record, now), record.sent_at)


def _standing_of(group: AlertGroup, alert: RoutedAlert, now: datetime) -> Iterator[Suppression]:
    """Say for each receiver of a group why it is not being told now."""
    point = ContactPoint.objects.for_org(group.org_id).filter(name=group.contact_point).first()
    nobody = point_cause(group.contact_point, point)
    if nobody is not None:
        yield _standing(group, alert, "", nobody, None)
        return
    place = {"key_digest": group.key_digest, "contact_point": group.contact_point}
    records = NotificationRecord.objects.for_org(group.org_id).filter(**place)
    recent = Delivery.objects.for_org(group.org_id).filter(**place).defer("payload")
    standing = _Standing(
        records={row.receiver: row for row in records},
        deliveries={row.receiver: row for row in reversed(recent.order_by("-pk")[:MOST])},
    )
    for receiver in point_receivers(point):
        cause, since = _receiver_cause(group, alert, receiver["name"], standing, now)
        yield _standing(group, alert, receiver["name"], cause, since)


def _receiver_cause(
    group: AlertGroup, alert: RoutedAlert, receiver: str, standing: _Standing, now: datetime
) -> tuple[Cause, datetime | None]:
    delivery, record = standing.deliveries.get(receiver), standing.records.get(receiver)
    if delivery is not None and alert.fingerprint in delivery.firing:
        if delivery.status == DeliveryStatus.FAILED:
            return _failed(delivery.error, group.next_flush_at), delivery.finished_at
        if delivery.status == DeliveryStatus.PENDING and delivery.error:
            return _failed(delivery.error, delivery.next_attempt_at), delivery.created_at
        if delivery.status == DeliveryStatus.PENDING:
            return _grouping("its delivery is on its way", now), delivery.created_at
    if record is not None and alert.fingerprint in record.firing:
        return _dedup(group, record, now), record.sent_at
    if not group.has_flushed:
        wait = format_duration(group.group_wait_ms / 1000)
        words = f"its group waits {wait} for more alerts (group_wait)"
        return _grouping(words, group.next_flush_at), group.created_at
    interval = format_duration(group.group_interval_ms / 1000)
    words = f"it joined a group that is told of changes every {interval} (group_interval)"
    return _grouping(words, group.next_flush_at), alert.starts_at


def _grouping(words: str, until: datetime) -> Cause:
    return Cause(kind=SuppressionKind.GROUPING, detail=words, until=until)


def _failed(error: str, until: datetime) -> Cause:
    return Cause(kind=SuppressionKind.FAILED_DELIVERY, detail=error or "no answer", until=until)


def _dedup(group: AlertGroup, record: NotificationRecord, now: datetime) -> Cause:
    """Say when the group is repeated: at the first flush after the repeat interval."""
    due = record.sent_at + timedelta(milliseconds=group.repeat_interval_ms)
    late_ms = max((due - group.next_flush_at) / timedelta(milliseconds=1), 0)
    flushes = ceil(late_ms / max(group.group_interval_ms, 1))
    until = group.next_flush_at + timedelta(milliseconds=flushes * group.group_interval_ms)
    repeat = format_duration(group.repeat_interval_ms / 1000)
    return Cause(
        kind=SuppressionKind.DEDUP,
        detail=f"it was told at {_moment(record.sent_at)} and, while nothing changes, "
        f"is told again every {repeat} (repeat_interval)",
        until=max(until, now),
    )


def _standing(
    group: AlertGroup, alert: RoutedAlert, receiver: str, cause: Cause, since: datetime | None
) -> Suppression:
    return Suppression(
        fingerprint=alert.fingerprint,
        labels=alert.labels,
        contact_point=group.contact_point,
        receiver=receiver,
        group_key=group.group_key,
        kind=cause.kind.value,
        causes=[cause.as_json()],
        since=since or alert.starts_at,
        until=cause.until,
    )


def cause_phrase(cause: Mapping[str, Any], zone: tzinfo = UTC) -> str:
    """Say a cause in words, with its end, where that is known, by the clocks of a time zone."""
    words = _PHRASES.get(cause["kind"], "{detail}").format_map(
        {"name": cause.get("name") or "?", "detail": cause.get("detail") or "no more is known"}
    )
    until = cause.get("until")
    if not until:
        return words
    word = "next at" if cause["kind"] == SuppressionKind.DEDUP else "until"
    return f"{words}, {word} {_moment(datetime.fromisoformat(until).astimezone(zone))}"


def _times(row: Suppression) -> str:
    since = f" since {_moment(row.since)}" if row.since else ""
    if row.ended_at is None:
        return since
    ending = SuppressionEnding(row.ending).label.lower() if row.ending else ""
    was = f" from {_moment(row.since)}" if row.since else ""
    return f"{was} to {_moment(row.ended_at)}" + (f" ({ending})" if ending else "")


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z")
