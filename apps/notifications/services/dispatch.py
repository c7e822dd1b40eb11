"""From alerts to deliveries: route, group, wait, decide (Alertmanager's dispatcher, in SQL)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F

from apps.alerting.selectors import evaluated_at
from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import (
    AlertGroup,
    ContactPoint,
    Delivery,
    NotificationRecord,
    RoutedAlert,
    RoutingTree,
)
from apps.notifications.services.causes import Causes, Snapshot, SuppressionInput
from apps.notifications.services.decision import LastSent, Reason, decide
from apps.notifications.services.handled import picture_of, woken_at
from apps.notifications.services.payload import Members, notification_payload
from apps.notifications.services.routing import (
    Route,
    build_tree,
    group_key,
    group_labels,
    key_digest,
    match_routes,
)
from apps.notifications.services.suppression import causes_of
from apps.notifications.services.threads import threads_forget
from detectviz.clock import to_ms

BATCH = 500  # rows of one statement
ROUTED_AT_ONCE = 5_000  # alerts of one transaction
RESOLVED_KEPT = timedelta(minutes=30)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchReport:
    """What one pass did."""

    routed: int
    flushed: int
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A group at one flush: its alerts, what holds some of them back, the end of a snooze."""

    firing: Sequence[RoutedAlert]
    resolved: Sequence[RoutedAlert]
    causes: Causes
    woken_at: datetime | None


def dispatch(*, now: datetime) -> DispatchReport:
    """Route what is new and flush what is due; safe to run twice and anywhere at once."""
    routed = 0
    while count := alerts_route(now=now):
        routed += count
        if count < ROUTED_AT_ONCE:
            break
    flushed = deliveries = 0
    while due := _due_groups(now):
        for group_id in due:
            created = group_flush(group_id=group_id, now=now)
            flushed += created is not None
            deliveries += created or 0
        if len(due) < BATCH:
            break
    _forget_old_alerts(now)
    return DispatchReport(routed=routed, flushed=flushed, deliveries=deliveries)


@transaction.atomic
def alerts_route(*, now: datetime) -> int:
    """Put unrouted alerts into their groups; return how many were looked at."""
    alerts = list(
        RoutedAlert.objects.across_orgs(reason="one dispatcher serves every org")
        .filter(routed_version__lt=F("version"))
        .select_for_update(skip_locked=True)
        .order_by("pk")[:ROUTED_AT_ONCE]
    )
    by_org: dict[int, list[RoutedAlert]] = defaultdict(list)
    for alert in alerts:
        by_org[alert.org_id].append(alert)
    trees = _trees(by_org)
    for org_id, some in by_org.items():
        if root := trees.get(org_id):
            _join_groups(org_id, _places(root, some), now)
        for part in _parts(some):
            looked_at = RoutedAlert.objects.for_org(org_id).filter(pk__in=[one.pk for one in part])
            looked_at.update(routed_version=F("version"))
    return len(alerts)


def _trees(org_ids: Collection[int]) -> dict[int, Route]:
    rows = RoutingTree.objects.across_orgs(reason="one dispatcher serves every org")
    return {row.org_id: build_tree(row.root) for row in rows.filter(org_id__in=org_ids)}


@dataclass(frozen=True, slots=True)
class _Place:
    """A group that alerts belong to, and those that do."""

    route: Route
    key: str
    alerts: list[RoutedAlert]

    @property
    def digest(self) -> str:
        return key_digest(self.key)


def _places(root: Route, alerts: Iterable[RoutedAlert]) -> Sequence[_Place]:
    places: dict[str, _Place] = {}
    for alert in alerts:
        for route in match_routes(root, alert.labels):
            key = group_key(route, alert.labels)
            places.setdefault(key, _Place(route, key, [])).alerts.append(alert)
    return list(places.values())


def _join_groups(org_id: int, places: Sequence[_Place], now: datetime) -> None:
    """Add alerts to their groups, as Alertmanager's ``groupAlert`` and ``aggrGroup.insert``."""
    groups = _groups(org_id, [place.digest for place in places])
    new = {
        place.digest: _new_group(org_id, place, now)
        for place in places
        if place.digest not in groups and not all(alert.is_resolved for alert in place.alerts)
    }
    rows = AlertGroup.objects.for_org(org_id)
    rows.bulk_create(new.values(), batch_size=BATCH, ignore_conflicts=True)
    groups |= _groups(org_id, list(new))
    overdue: list[int] = []
    members: list[tuple[int, int]] = []
    for place in places:
        group = groups.get(place.digest)
        if group is None:
            continue
        oldest = min(alert.starts_at for alert in place.alerts)
        is_overdue = oldest + timedelta(milliseconds=group.group_wait_ms) < now
        if not group.has_flushed and is_overdue and group.next_flush_at > now:
            overdue.append(group.pk)
        members += [(group.pk, alert.pk) for alert in place.alerts]
    for part in _parts(overdue):
        rows.filter(pk__in=part).update(next_flush_at=now)
    through = AlertGroup.alerts.through
    for pairs in _parts(members):
        through._default_manager.bulk_create(
            [through(alertgroup_id=group, routedalert_id=alert) for group, alert in pairs],
            ignore_conflicts=True,
        )


def _groups(org_id: int, digests: Sequence[str]) -> dict[str, AlertGroup]:
    rows = AlertGroup.objects.for_org(org_id).select_for_update()
    found = [row for part in _parts(digests) for row in rows.filter(key_digest__in=part)]
    return {row.key_digest: row for row in found}


def _new_group(org_id: int, place: _Place, now: datetime) -> AlertGroup:
    route = place.route
    return AlertGroup(
        org_id=org_id,
        group_key=place.key[:2000],
        key_digest=place.digest,
        contact_point=route.contact_point,
        group_labels=group_labels(route, place.alerts[0].labels),
        group_wait_ms=route.group_wait_ms,
        group_interval_ms=route.group_interval_ms,
        repeat_interval_ms=route.repeat_interval_ms,
        created_at=now,
        next_flush_at=now + timedelta(milliseconds=route.group_wait_ms),
        # A group that comes back must not count again what was already sent under its key.
        flush_number=to_ms(now),
    )


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut into what one statement takes."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def group_members(group: AlertGroup, now: datetime) -> tuple[list[RoutedAlert], list[RoutedAlert]]:
    """Return the firing and the resolved alerts of a group, oldest first.

    An alert is over when it was said so, or when its rule went on being evaluated past
    ``ends_at`` without renewing it (an evaluation that fails renews nothing, as in Prometheus).
    Where nothing was evaluated since, we are what was down, and nothing is over.
    """
    alerts = list(group.alerts.order_by("starts_at", "fingerprint"))
    evaluated = evaluated_at(group.org_id, {alert.rule_group for alert in alerts})
    firing: list[RoutedAlert] = []
    resolved: list[RoutedAlert] = []
    for alert in alerts:
        looked_at = evaluated.get(alert.rule_group, now)
        has_lapsed = (
            alert.ends_at is not None
            and alert.ends_at <= now
            and looked_at is not None
            and looked_at >= alert.ends_at
        )
        (resolved if alert.is_resolved or has_lapsed else firing).append(alert)
    return firing, resolved


def _due_groups(now: datetime) -> list[int]:
    due = AlertGroup.objects.across_orgs(reason="one dispatcher serves every org").filter(
        next_flush_at__lte=now
    )
    return list(due.order_by("next_flush_at").values_list("pk", flat=True)[:BATCH])


@transaction.atomic
def group_flush(*, group_id: int, now: datetime) -> int | None:
    """Flush one due group: decide per receiver, write deliveries, set the next timer.

    Returns the number of deliveries, or None when somebody else flushed it meanwhile.
    """
    group = (
        AlertGroup.objects.across_orgs(reason="the caller holds a due group's id")
        .select_for_update(skip_locked=True)
        .filter(pk=group_id, next_flush_at__lte=now)
        .first()
    )
    if group is None:
        return None
    firing, resolved = group_members(group, now)
    group.flush_number += 1
    group.has_flushed = True
    group.next_flush_at = now + timedelta(milliseconds=group.group_interval_ms)
    group.save(update_fields=["flush_number", "has_flushed", "next_flush_at"])
    view = _View(
        firing=firing,
        resolved=resolved,
        causes=_causes(group, firing, now),
        woken_at=woken_at(org_id=group.org_id, alerts=firing, now=now),
    )
    created = [_flush_receiver(group, receiver, view, now) for receiver in _receivers(group)]
    group_clean(group=group, now=now)
    return sum(created)


def _causes(group: AlertGroup, firing: Sequence[RoutedAlert], now: datetime) -> Causes:
    return causes_of(
        SuppressionInput(
            org_id=group.org_id,
            alerts=firing,
            now=now,
            snapshot=Snapshot(org_id=group.org_id, now=now),
            options=group.route_options,
        )
    )


def _receivers(group: AlertGroup) -> Sequence[Mapping[str, Any]]:
    point = ContactPoint.objects.for_org(group.org_id).filter(name=group.contact_point).first()
    return [receiver for receiver in point.receivers if receiver["enabled"]] if point else []


def _flush_receiver(
    group: AlertGroup,
    receiver: Mapping[str, Any],
    view: _View,
    now: datetime,
) -> int:
    """Decide for one receiver; return 1 when a delivery was written."""
    last = _last_sent(group, receiver["name"])
    known = last.firing if last else frozenset[str]()
    picture = picture_of(view.firing, causes=view.causes, known=known)
    firing, resolved = picture.firing, view.resolved
    pending = _pending(group, receiver["name"])
    if pending is not None and pending.lease_until and pending.lease_until > now:
        return 0  # it is on the wire; the next flush decides on what came of it
    reason = decide(
        firing={alert.fingerprint for alert in firing},
        resolved={alert.fingerprint for alert in resolved},
        last=last,
        sends_resolved=receiver["send_resolved"],
        repeat_interval=timedelta(milliseconds=group.repeat_interval_ms),
        now=now,
        quiet=picture.quiet,
        woken_at=view.woken_at,
    )
    if not reason.sends:
        if pending is not None:
            _supersede(pending, now)
        return 0
    over = resolved if receiver["send_resolved"] else []
    if not firing and not over:
        # Nothing to say, but remembered as said, so that the next fire notifies again.
        record_write(group=group, receiver=receiver["name"], resolved=resolved, now=now)
        return 0
    if pending is not None:
        if _says(pending, Members(firing, over)):
            return 0  # it is still being retried, under the id the receiver may know already
        _supersede(pending, now)
    _create_delivery(group, receiver, Members(firing, over), reason, now)
    return 1


def _says(delivery: Delivery, members: Members) -> bool:
    """Say whether a delivery tells just this."""
    firing = {alert.fingerprint for alert in members.firing}
    resolved = {alert.fingerprint for alert in members.resolved}
    return set(delivery.firing) == firing and set(delivery.resolved) == resolved


def _pending(group: AlertGroup, receiver: str) -> Delivery | None:
    return (
        Delivery.objects.for_org(group.org_id)
        .filter(
            key_digest=group.key_digest,
            contact_point=group.contact_point,
            receiver=receiver,
            status=DeliveryStatus.PENDING,
        )
        .select_for_update()
        .first()
    )


def _supersede(delivery: Delivery, now: datetime) -> None:
    Delivery.objects.for_org(delivery.org_id).filter(pk=delivery.pk).update(
        status=DeliveryStatus.SUPERSEDED, finished_at=now
    )


def _last_sent(group: AlertGroup, receiver: str) -> LastSent | None:
    record = (
        NotificationRecord.objects.for_org(group.org_id)
        .filter(key_digest=group.key_digest, contact_point=group.contact_point, receiver=receiver)
        .first()
    )
    if record is None:
        return None
    return LastSent(
        firing=set(record.firing), resolved=set(record.resolved), sent_at=record.sent_at
    )


def _create_delivery(
    group: AlertGroup,
    receiver: Mapping[str, Any],
    members: Members,
    reason: Reason,
    now: datetime,
) -> None:
    delivery = Delivery(
        org_id=group.org_id,
        group_key=group.group_key,
        key_digest=group.key_digest,
        contact_point=group.contact_point,
        receiver=receiver["name"],
        notifier=receiver["notifier"],
        flush_number=group.flush_number,
        firing=[alert.fingerprint for alert in members.firing],
        resolved=[alert.fingerprint for alert in members.resolved],
        reason=reason.name.lower(),
        next_attempt_at=now,
        created_at=now,
    )
    delivery.payload = notification_payload(
        group=group, members=members, delivery_uid=delivery.uid, org=str(group.org)
    )
    delivery.save(force_insert=True)


def record_write(
    *,
    group: AlertGroup,
    receiver: str,
    resolved: Sequence[RoutedAlert],
    now: datetime,
) -> None:
    """Remember that a receiver knows everything to be over."""
    NotificationRecord.objects.for_org(group.org_id).update_or_create(
        org_id=group.org_id,
        key_digest=group.key_digest,
        contact_point=group.contact_point,
        receiver=receiver,
        defaults={
            "firing": [],
            "resolved": [alert.fingerprint for alert in resolved],
            "sent_at": now,
        },
    )


def group_clean(*, group: AlertGroup, now: datetime) -> None:
    """Let resolved alerts go once no receiver believes in them; an empty group goes with them."""
    believed: set[str] = set()
    for record in NotificationRecord.objects.for_org(group.org_id).filter(
        key_digest=group.key_digest, contact_point=group.contact_point
    ):
        believed |= set(record.firing)
    for row in Delivery.objects.for_org(group.org_id).filter(
        key_digest=group.key_digest, status=DeliveryStatus.PENDING
    ):
        believed |= {*row.firing, *row.resolved}
    _, resolved = group_members(group, now)
    gone = [alert for alert in resolved if alert.fingerprint not in believed]
    group.alerts.remove(*gone)
    if not group.alerts.exists():
        threads_forget(group=group)
        group.delete()


def _forget_old_alerts(now: datetime) -> None:
    RoutedAlert.objects.across_orgs(reason="retention of every org").filter(
        is_resolved=True,
        routed_version=F("version"),
        groups__isnull=True,
        updated_at__lt=now - RESOLVED_KEPT,
    ).delete()
