"""What keeps an alert's notifications back, shown beside its state and never part of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.alerting.models import Alert
from detectviz.runtime import signals

_MOST = 500


def alerts_suppress(*, org_id: int, causes: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
    """Write what holds alerts back, by fingerprint; return how many rows changed.

    An empty list says that nothing does. One query for 500 alerts, two where something changed.
    """
    changed = 0
    fingerprints = sorted(causes)
    for start in range(0, len(fingerprints), _MOST):
        rows = Alert.objects.for_org(org_id).filter(
            fingerprint__in=fingerprints[start : start + _MOST]
        )
        stale: list[Alert] = []
        for row in rows.only("pk", "org_id", "fingerprint", "suppressed_by"):
            wanted = [dict(cause) for cause in causes[row.fingerprint]]
            if row.suppressed_by != wanted:
                row.suppressed_by = wanted
                stale.append(row)
        if stale:
            Alert.objects.for_org(org_id).bulk_update(stale, ["suppressed_by"])
        changed += len(stale)
    if changed:
        payload = {"org": org_id, "event": "alerts", "data": {}}
        signals.send_on_commit("web", payload)
    return changed
