"""Where alerts arrive: in the transaction that changed them."""

from django.db.models import F

from apps.notifications.models import RoutedAlert
from detectviz.clock import utc_now
from detectviz.events.types import AlertChanged
from detectviz.runtime.wakeups import wake_on_commit

DISPATCH = "notifications.dispatch"


def alert_receive(*, event: AlertChanged) -> None:
    """Keep the latest word about an alert and wake the dispatcher once it is durable.

    A resolve of an alert nobody ever heard of is dropped, as nothing could be told about it.
    """
    word = {
        "labels": dict(event.labels),
        "annotations": dict(event.annotations),
        "starts_at": event.starts_at,
        "ends_at": event.ends_at,
        "is_resolved": event.status == "resolved",
        "value": event.value,
        "rule_group": event.rule_group,
        "rule": event.rule,
        "generator_url": "",
        "is_external": False,
        "is_timeout": False,
        "updated_at": utc_now(),
    }
    rows = RoutedAlert.objects.for_org(event.org_id).filter(fingerprint=event.fingerprint)
    known = rows.update(version=F("version") + 1, **word)
    if not known and event.status == "firing":
        RoutedAlert.objects.for_org(event.org_id).create(
            org_id=event.org_id, fingerprint=event.fingerprint, **word
        )
    if event.is_transition:
        wake_on_commit(DISPATCH)
