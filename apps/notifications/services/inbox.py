"""Where alerts arrive: in the transaction that changed them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from apps.notifications.models import RoutedAlert
from detectviz.clock import utc_now
from detectviz.events.types import AlertChanged
from detectviz.runtime.wakeups import wake_on_commit
from detectviz.tenancy.writing import rows_write

DISPATCH = "notifications.dispatch"
BATCH = 500  # rows of one statement
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


def alerts_receive(*, events: Sequence[AlertChanged]) -> None:
    """Keep the latest word about each alert and wake the dispatcher once it is durable.

    A resolve of an alert nobody ever heard of is dropped, as nothing could be told about it.
    """
    latest = {(event.org_id, event.fingerprint): event for event in events}
    known = _known(event for event in latest.values() if event.status == "resolved")
    now = utc_now()
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
            updated_at=now,
        )
        for key, event in latest.items()
        if event.status == "firing" or key in known
    ]
    rows_write(rows, unique=("org", "fingerprint"), update=_WRITTEN, counted=("version",))
    if any(event.is_transition for event in events):
        wake_on_commit(DISPATCH)


def _known(resolved: Iterable[AlertChanged]) -> set[tuple[int, str]]:
    """Return (org, fingerprint) of those that were heard of before."""
    return {
        (org_id, found)
        for org_id, fingerprints in _by_org(resolved)
        for found in RoutedAlert.objects.for_org(org_id)
        .filter(fingerprint__in=fingerprints)
        .values_list("fingerprint", flat=True)
    }


def _by_org(alerts: Iterable[AlertChanged | RoutedAlert]) -> Iterator[tuple[int, list[str]]]:
    """Yield fingerprints of one org, as many as one statement takes."""
    by_org: dict[int, list[str]] = defaultdict(list)
    for alert in alerts:
        by_org[alert.org_id].append(alert.fingerprint)
    for org_id, fingerprints in by_org.items():
        for start in range(0, len(fingerprints), BATCH):
            yield org_id, fingerprints[start : start + BATCH]
