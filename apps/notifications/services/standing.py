"""How some alerts stand now: which fire, and what holds them back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.notifications.models import RoutedAlert
from apps.notifications.services.causes import Causes, Snapshot, SuppressionInput
from apps.notifications.services.members import alerts_lapsed
from apps.notifications.services.suppression import causes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The firing ones, oldest first, and why some of them are told to nobody."""

    firing: Sequence[RoutedAlert]
    causes: Causes

    @property
    def waiting(self) -> list[RoutedAlert]:
        """Those nothing holds back."""
        return [alert for alert in self.firing if alert.fingerprint not in self.causes]


def alerts_standing(*, org_id: int, fingerprints: Sequence[str], now: datetime) -> Standing:
    """Return how these alerts stand, whatever route they take."""
    rows = RoutedAlert.objects.for_org(org_id).filter(
        fingerprint__in=fingerprints, is_resolved=False
    )
    alerts = list(rows.order_by("starts_at", "fingerprint"))
    over = alerts_lapsed(alerts, org_id=org_id, now=now)
    firing = [alert for alert in alerts if alert.fingerprint not in over]
    given = SuppressionInput(
        org_id=org_id, alerts=firing, now=now, snapshot=Snapshot(org_id=org_id, now=now)
    )
    return Standing(firing=firing, causes=causes_of(given))
