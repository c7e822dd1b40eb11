"""From alerts to deliveries: route, group, wait, decide (Alertmanager's dispatcher, in SQL)."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import AlertGroup, Delivery, RoutedAlert
from apps.notifications.services.alert_facts import RoutableAlert
from apps.notifications.services.causes import Snapshot, Snapshots
from apps.notifications.services.flush import FlushReport, flushes_of, groups_flush
from apps.notifications.services.prompt import Joined, alerts_note, silences_apply
from apps.notifications.services.routing import (
    Route,
    group_key,
    group_labels,
    key_digest,
    match_routes,
)
from apps.notifications.services.tree_locks import trees_hold
from detectviz.clock import to_ms
from detectviz.tenancy.listed import Keys, Texts
from detectviz.tenancy.writing import Prepared, columns_write

BATCH = 500  # rows of one statement
ROUTED_AT_ONCE = 2_000  # alerts of one transaction: others write meanwhile
RESOLVED_KEPT = timedelta(minutes=30)
PUT_OFF = timedelta(seconds=30)  # a group whose flush fails
PATIENCE = timedelta(seconds=30)  # of a due group with workers that tell others first
_ACROSS = "one dispatcher serves every org"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchReport:
    """What one pass did, and when the next group is due."""

    routed: int
    flushed: int
    deliveries: int
    next_flush_at: datetime | None


def dispatch(*, now: datetime, hand_over: Callable[[], object] = lambda: None) -> DispatchReport:
    """Route what is new and flush what is due; safe to run twice and anywhere at once.

    ``hand_over`` is called whenever deliveries were written: who is flushed first need not wait
    for the others.
    """
    routed = 0
    while count := alerts_route(now=now):
        routed += count
        if count < ROUTED_AT_ONCE:
            break
    total = FlushReport()
    silences_apply(now=now)
    while due := _due_groups(now):
        snapshots = Snapshots(now=now)  # what is silenced is looked up once for many groups
        for org_id, group_ids in flushes_of(due):
            report = _flush(org_id, group_ids, snapshots.of(org_id))
            total += report
            if report.deliveries:
                hand_over()
        if len(due) < BATCH:
            break
    _forget_old_alerts(now)
    return DispatchReport(
        routed=routed,
        flushed=total.flushed,
        deliveries=total.deliveries,
        next_flush_at=_next_flush_at(now),
    )


def _flush(org_id: int, group_ids: Sequence[int], snapshot: Snapshot) -> FlushReport:
    """Flush groups; one that fails is tried again later and keeps no other one waiting."""
    try:
        return groups_flush(org_id=org_id, group_ids=group_ids, now=snapshot.now, snapshot=snapshot)
    except (OperationalError, InterfaceError):
        raise  # it is the database that fails
    except Exception:
        if len(group_ids) > 1:
            alone = (_flush(org_id, [one], snapshot) for one in group_ids)
            return sum(alone, start=FlushReport())
        logger.exception("A group can't be flushed; it is tried again.", extra={"group": group_ids})
    groups = AlertGroup.objects.for_org(org_id).filter(pk__in=group_ids)
    groups.update(next_flush_at=snapshot.now + PUT_OFF)
    return FlushReport()


def alerts_route(*, now: datetime) -> int:
    """Put unrouted alerts into their groups; return how many were looked at.

    Alerts of an org whose tree is being edited wait for the edit, which routes them all anew.
    """
    unrouted = RoutedAlert.objects.across_orgs(reason=_ACROSS).filter(
        routed_version__lt=F("version")
    )
    org_ids = set(unrouted.order_by().values_list("org_id", flat=True).distinct())
    return _route(unrouted, org_ids, now) if org_ids else 0  # an idle pass takes no write lock


@transaction.atomic
def _route(unrouted: QuerySet[RoutedAlert], org_ids: Collection[int], now: datetime) -> int:
    orgs = trees_hold(org_ids)
    locked = unrouted.filter(org_id__in=orgs).select_for_update(skip_locked=True).order_by("pk")
    alerts = locked.values_list("org_id", *_Unrouted._fields)[:ROUTED_AT_ONCE]
    by_org: dict[int, list[_Unrouted]] = defaultdict(list)
    for org_id, *facts in alerts:
        by_org[org_id].append(_Unrouted._make(facts))
    for org_id, some in by_org.items():
        looked_at = RoutedAlert.objects.for_org(org_id).filter(pk__in=Keys(one.pk for one in some))
        looked_at.update(routed_version=F("version"))
    for org_id, some in sorted(by_org.items()):
        if root := orgs[org_id]:
            joined = _join_groups(org_id, places_of(root, some), now)
            alerts_note(org_id=org_id, joined=joined, now=now)
    return len(alerts)


class _Unrouted(NamedTuple):
    """An alert to put into its groups, as read from its row."""

    pk: int
    fingerprint: str
    labels: Mapping[str, str]
    rule_group: str
    starts_at: datetime
    is_resolved: bool
    routed_version: int


@dataclass(frozen=True, slots=True)
class Place:
    """A group that alerts belong to, and those that do."""

    route: Route
    key: str
    alerts: list[RoutableAlert]

    @property
    def digest(self) -> str:
        """Return the fixed-width form of its key."""
        return key_digest(self.key)

    @property
    def begins_group(self) -> bool:
        """Say whether a group begins with these alerts; what is over begins none."""
        return not all(alert.is_resolved for alert in self.alerts)

    def is_overdue(self, group: AlertGroup, now: datetime) -> bool:
        """Say whether a group that was never told has to be at once: an alert waited already."""
        oldest = min(alert.starts_at for alert in self.alerts)
        wait = timedelta(milliseconds=group.group_wait_ms)
        return not group.has_flushed and oldest + wait < now


def places_of(root: Route, alerts: Iterable[RoutableAlert]) -> Sequence[Place]:
    """Return the groups that alerts belong to."""
    places: dict[tuple[Any, ...], Place] = {}
    for alert in alerts:
        labels = alert.labels
        for route in match_routes(root, labels):
            place = places.get(own := (route.path, *group_labels(route, labels).items()))
            if place is None:
                place = places[own] = Place(route, group_key(route, labels), [])
            place.alerts.append(alert)
    return list(places.values())


def _join_groups(org_id: int, places: Sequence[Place], now: datetime) -> Sequence[Joined]:
    """Add alerts to their groups, as Alertmanager's ``groupAlert`` and ``aggrGroup.insert``.

    Returns the groups with the alerts that are new to the dispatcher.
    """
    groups = _groups_entered(org_id, places, now)
    rows = AlertGroup.objects.for_org(org_id)
    joined: list[Joined] = []
    overdue: list[int] = []
    members: list[tuple[int, int]] = []
    for place in places:
        group = groups.get(place.digest)
        if group is None:
            continue
        is_late = place.is_overdue(group, now) or _ends_at_once(group, place)
        if is_late and group.next_flush_at > now:
            overdue.append(group.pk)
        joined.append((group, [one for one in place.alerts if _is_news(one)]))
        members += [(group.pk, alert.pk) for alert in place.alerts]
    if overdue:
        rows.filter(pk__in=Keys(overdue)).update(next_flush_at=now)
    through = AlertGroup.alerts.through
    columns_write(
        through,
        {
            "alertgroup_id": Prepared(group for group, _ in members),
            "routedalert_id": Prepared(alert for _, alert in members),
        },
        unique=("alertgroup", "routedalert"),
    )
    return joined


def _is_news(alert: RoutableAlert) -> bool:
    return not alert.is_resolved and not alert.routed_version


def _groups_entered(org_id: int, places: Sequence[Place], now: datetime) -> dict[str, AlertGroup]:
    """Begin the groups that are missing, then lock all: whoever inserts holds no lock to wait for.

    A group that ends between the two begins again.
    """
    rows = AlertGroup.objects.for_org(org_id)
    by_digest = {place.digest: place for place in places}
    wanted = {digest for digest, place in by_digest.items() if place.begins_group}
    found = rows.filter(key_digest__in=Texts(by_digest))
    known = set(found.values_list("key_digest", flat=True))
    while True:
        new = [group_new(org_id, by_digest[one], now) for one in sorted(wanted - known)]
        rows.bulk_create(new, batch_size=BATCH, ignore_conflicts=True)
        groups = _groups(org_id, list(by_digest))
        known = set(groups)
        if wanted <= known:
            return groups


def _groups(org_id: int, digests: Sequence[str]) -> dict[str, AlertGroup]:
    # In one order, so that two dispatchers don't wait for each other.
    rows = AlertGroup.objects.for_org(org_id).select_for_update().order_by("key_digest")
    return {row.key_digest: row for row in rows.filter(key_digest__in=Texts(digests))}


def group_new(org_id: int, place: Place, now: datetime) -> AlertGroup:
    """Return the group of a place as a row, not saved."""
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
        route_options=route.options,
        created_at=now,
        next_flush_at=now + timedelta(milliseconds=route.group_wait_ms),
        # A group that comes back must not count again what was already sent under its key.
        flush_number=to_ms(now),
    )


def _ends_at_once(group: AlertGroup, place: Place) -> bool:
    """Say whether a resolve is told without waiting; words that repeat it flush nothing."""
    over = [alert.pk for alert in place.alerts if alert.is_resolved]
    return bool(over) and ends_promptly(group) and group.alerts.filter(pk__in=over).exists()


def ends_promptly(group: AlertGroup) -> bool:
    """Say whether what is over is told of a group at once, not at its next flush."""
    return group.has_flushed and bool(group.route_options.get("resolve_immediately"))


def _due_groups(now: datetime) -> list[tuple[int, int]]:
    """Return the org and the key of groups, those that are due longest first.

    Left out are those whose last word still waits for a worker: who cannot tell as fast as groups
    are due must not spend its time on what it would tell next.
    """
    waiting = Delivery.objects.across_orgs(reason=_ACROSS).filter(
        org_id=OuterRef("org_id"),
        key_digest=OuterRef("key_digest"),
        status=DeliveryStatus.PENDING,
        attempts=0,
        lease_until__isnull=True,
        next_attempt_at__lte=now,
    )
    is_wanted = ~Exists(waiting) | Q(next_flush_at__lte=now - PATIENCE)
    groups = AlertGroup.objects.across_orgs(reason=_ACROSS)
    due = groups.filter(is_wanted, next_flush_at__lte=now)
    return list(due.order_by("next_flush_at").values_list("org_id", "pk")[:BATCH])


def _next_flush_at(now: datetime) -> datetime | None:
    rows = AlertGroup.objects.across_orgs(reason=_ACROSS).filter(next_flush_at__gt=now)
    return rows.order_by("next_flush_at").values_list("next_flush_at", flat=True).first()


@transaction.atomic
def _forget_old_alerts(now: datetime) -> None:
    """Forget what is long over; an alert that fires again at this moment is not what was looked at.

    Deleted is what is locked, so that a word which comes in between is not deleted with it.
    """
    rows = RoutedAlert.objects.across_orgs(reason="retention of every org")
    old = rows.filter(
        is_resolved=True,
        routed_version=F("version"),
        groups__isnull=True,
        updated_at__lt=now - RESOLVED_KEPT,
    )
    if not old.exists():
        return  # an idle pass must not take SQLite's write lock
    locked = old.select_for_update(skip_locked=True, of=("self",)).order_by("pk")
    keys = list(locked.values_list("pk", flat=True)[:ROUTED_AT_ONCE])
    rows.filter(pk__in=Keys(keys)).delete()
