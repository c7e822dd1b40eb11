"""Which firing alerts each of some silences mutes now."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import models

from apps.notifications.models import RoutedAlert, Silence
from apps.notifications.services.causes import Snapshot
from apps.notifications.services.folders import is_of_folder
from apps.notifications.services.suppressors import silences_index
from apps.notifications.services.visibility import AlertVisibility
from detectviz.permissions.access import Access


def muted_alerts(
    *, org: models.Model, access: Access, silences: Iterable[Silence], now: datetime
) -> Mapping[int, Sequence[RoutedAlert]]:
    """Return the muted alerts of each silence that mutes any, by primary key, oldest first.

    Alerts that the asker may not read are left out. One query, or three where folders matter.
    """
    index = silences_index(silences, now)
    if not index:
        return {}
    snapshot = Snapshot(org_id=org.pk, now=now)
    visible = AlertVisibility(org=org, access=access)
    found: dict[int, list[RoutedAlert]] = {}
    firing = RoutedAlert.objects.for_org(org).filter(is_resolved=False)
    for alert in firing.order_by("starts_at", "fingerprint"):
        if not visible.has(alert.rule_group):
            continue
        matching = {one.pk: one.folder_id for one in index.find(alert.labels)}
        for pk, folder_id in matching.items():
            if is_of_folder(alert, folder_id, snapshot):
                found.setdefault(pk, []).append(alert)
    return found
