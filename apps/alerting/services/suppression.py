"""What keeps an alert's notifications back, shown beside its state and never part of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.alerting.models import Alert
from apps.alerting.services.alert_rows import alerts_lock
from detectviz.runtime import signals
from detectviz.tenancy.listed import Texts

_MOST = 500


def alerts_suppress(*, org_id: int, causes: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
    """Write what holds alerts back, by fingerprint; return how many rows changed.

    An empty list says that nothing does. One query, some more where something changed.
    Call it last in a transaction, and once: the rows of alerts are the last that are locked.
    """
    stale: list[Alert] = []
    rows = Alert.objects.for_org(org_id).filter(fingerprint__in=Texts(causes))
    for row in rows.only("pk", "org_id", "name", "fingerprint", "suppressed_by"):
        wanted = [dict(cause) for cause in causes[row.fingerprint]]
        if row.suppressed_by != wanted:
            row.suppressed_by = wanted
            stale.append(row)
    if stale:
        alerts_lock(org_id=org_id, names=[row.name for row in stale])
        changing = Alert.objects.for_org(org_id)
        changing.bulk_update(stale, ["suppressed_by"], batch_size=_MOST)
        payload = {"org": org_id, "event": "alerts", "data": {}}
        signals.send_on_commit("web", payload)
    return len(stale)
