"""Show at once what is held back, without waiting for a group's flush and without telling anyone.

The ledger follows when a silence begins or ends to mute, and when an alert is new.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from apps.notifications.models import AlertGroup, ContactPoint, Silence
from apps.notifications.services.alert_facts import AlertFacts, AlertRow
from apps.notifications.services.causes import Snapshot, SuppressionInput
from apps.notifications.services.ledger import GroupState, alerts_sync, ledger_update
from apps.notifications.services.members import alerts_by_group
from apps.notifications.services.recurrence import next_change_at
from apps.notifications.services.suppression import causes_of, point_cause, with_nobody

Joined = tuple[AlertGroup, Sequence[AlertFacts]]
_ACROSS = "one dispatcher serves every org"
_BATCH = 500


def alerts_note(*, org_id: int, joined: Sequence[Joined], now: datetime) -> None:
    """Bring the ledger up to date about alerts that have just joined their groups."""
    if news := [(group, alerts) for group, alerts in joined if alerts]:
        changed = _update(Snapshot(org_id=org_id, now=now), news)
        alerts_sync(org_id=org_id, fingerprints=changed)


def silences_apply(*, now: datetime) -> int:
    """Follow the silences that begin or end to mute now; return how many orgs were looked at."""
    due = Silence.objects.across_orgs(reason=_ACROSS).filter(next_change_at__lte=now)
    org_ids = sorted(set(due.values_list("org_id", flat=True)))
    for org_id in org_ids:
        _org_apply(org_id, now)
    return len(org_ids)


@transaction.atomic
def _org_apply(org_id: int, now: datetime) -> None:
    silences = Silence.objects.for_org(org_id).filter(next_change_at__lte=now)
    for silence in silences.select_for_update(skip_locked=True).order_by("pk"):
        Silence.objects.for_org(org_id).filter(pk=silence.pk).update(
            next_change_at=next_change_at(silence, now)
        )
    org_refresh(org_id=org_id, now=now)


@transaction.atomic
def org_refresh(*, org_id: int, now: datetime) -> None:
    """Bring the ledger of an org up to date about every alert that waits in a group."""
    snapshot = Snapshot(org_id=org_id, now=now)
    groups = AlertGroup.objects.for_org(org_id)
    # All groups before any row of the ledger, in the dispatcher's order.
    locked = groups.select_for_update().order_by("key_digest").values_list("pk", flat=True)
    keys = list(locked)
    changed: set[str] = set()
    for start in range(0, len(keys), _BATCH):
        some = list(groups.filter(pk__in=keys[start : start + _BATCH]))
        members = alerts_by_group(some)
        changed |= _update(snapshot, [(group, _firing(members.get(group.pk))) for group in some])
    alerts_sync(org_id=org_id, fingerprints=changed)


def _firing(alerts: Iterable[AlertRow] | None) -> Sequence[AlertRow]:
    return [alert for alert in alerts or () if not alert.is_resolved]


def _update(
    snapshot: Snapshot, groups: Sequence[tuple[AlertGroup, Sequence[AlertFacts]]]
) -> set[str]:
    points = {row.name: row for row in ContactPoint.objects.for_org(snapshot.org_id)}
    states: list[GroupState] = []
    for group, alerts in groups:
        given = SuppressionInput(
            org_id=snapshot.org_id,
            alerts=alerts,
            now=snapshot.now,
            snapshot=snapshot,
            options=group.route_options,
        )
        nobody = point_cause(group.contact_point, points.get(group.contact_point))
        causes = with_nobody(causes_of(given), alerts, nobody)
        states.append(GroupState(group=group, alerts=alerts, causes=causes))
    return ledger_update(org_id=snapshot.org_id, states=states, now=snapshot.now)
