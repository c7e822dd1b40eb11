"""Where alerts arrive: in the transaction that changed them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from django.db import connection, transaction

from apps.notifications.models import RoutedAlert
from detectviz.clock import utc_now
from detectviz.events.types import AlertChanged
from detectviz.runtime.wakeups import wake_on_commit
from detectviz.tenancy.listed import Texts
from detectviz.tenancy.writing import rows_write

DISPATCH = "notifications.dispatch"
_WRITTEN = (
    "labels",
    "annotations",
    "starts_at",
    "ends_at",
    "is_resolved",
    "value",
    "rule_group",
    "rule",
    "generator_url",
    "is_external",
    "is_timeout",
    "updated_at",
)


@transaction.atomic(savepoint=False)
def alerts_receive(*, events: Sequence[AlertChanged]) -> None:
    """Keep the latest word about each alert and wake the dispatcher once it is durable.

    A resolve of an alert nobody ever heard of is dropped, as nothing could be told about it.
    """
    latest = {(event.org_id, event.fingerprint): event for event in events}
    known = {
        (org_id, found)
        for org_id, fingerprints in _by_org(latest.values())
        for found in fingerprints_heard(org_id=org_id, fingerprints=fingerprints)
    }
    now = utc_now()
    first = 0 if connection.features.has_select_for_update else 1  # what enters is counted below
    rows = [
        RoutedAlert(
            org_id=event.org_id,
            fingerprint=event.fingerprint,
            labels=dict(event.labels),
            annotations=dict(event.annotations),
            starts_at=event.starts_at,
            ends_at=event.ends_at,
            is_resolved=event.status == "resolved",
            value=event.value,
            rule_group=event.rule_group,
            rule=event.rule,
            generator_url="",
            is_external=False,
            is_timeout=False,
            version=first,
            updated_at=now,
        )
        for key, event in sorted(latest.items())
        if event.status == "firing" or key in known
    ]
    alerts_enter([row for row in rows if (row.org_id, row.fingerprint) not in known])
    _lock(rows)
    rows_write(rows, unique=("org", "fingerprint"), update=_WRITTEN, counted=("version",))
    if any(event.is_transition for event in events):
        wake_on_commit(DISPATCH)


def alerts_enter(alerts: Iterable[RoutedAlert]) -> None:
    """Insert new ones, in the order of fingerprints and before any row is locked.

    Who inserts then holds nothing yet that others wait for, and who locks does it in that order
    too: no two writers wait for each other. What somebody else inserts meanwhile stays as it is.
    A database with one writer at a time needs none of this.
    """
    if not connection.features.has_select_for_update:
        return
    rows = sorted(alerts, key=attrgetter("org_id", "fingerprint"))
    rows_write(rows, unique=("org", "fingerprint"))


def fingerprints_heard(*, org_id: int, fingerprints: Sequence[str]) -> set[str]:
    """Return those alerts of an org that were heard of before."""
    rows = RoutedAlert.objects.for_org(org_id)
    heard = rows.filter(fingerprint__in=Texts(fingerprints))
    return set(heard.values_list("fingerprint", flat=True))


def _lock(alerts: Iterable[RoutedAlert]) -> None:
    if not connection.features.has_select_for_update:
        return
    for org_id, fingerprints in _by_org(alerts):
        rows = RoutedAlert.objects.for_org(org_id).filter(fingerprint__in=Texts(fingerprints))
        list(rows.select_for_update().order_by("fingerprint").values_list("pk", flat=True))


def _by_org(alerts: Iterable[AlertChanged | RoutedAlert]) -> Iterator[tuple[int, list[str]]]:
    """Yield the fingerprints of each org."""
    by_org: dict[int, list[str]] = defaultdict(list)
    for alert in alerts:
        by_org[alert.org_id].append(alert.fingerprint)
    yield from by_org.items()
