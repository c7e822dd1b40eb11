"""What alerting asks about its rules: how often people were told, how often they silenced."""

from collections import Counter
from datetime import datetime

import orjson
from django.db import models
from django.db.models.functions import Cast

from apps.alerting.services.rule_quality import Told
from apps.notifications.enums import DeliveryStatus, SuppressionKind
from apps.notifications.models import Delivery, SuppressionEntry


def alerts_told(org_id: int, since: datetime) -> Told:
    """Count deliveries that told of an alert firing, and the times it was silenced."""
    notifications: Counter[str] = Counter()
    delivered = Delivery.objects.for_org(org_id).filter(
        created_at__gte=since, status=DeliveryStatus.DELIVERED
    )
    # As texts: reading tens of thousands of small lists is what this question takes longest for.
    told = delivered.order_by().annotate(text=Cast("firing", models.TextField()))
    for firing in told.values_list("text", flat=True).iterator():
        notifications.update(orjson.loads(firing))
    silences = SuppressionEntry.objects.for_org(org_id).filter(
        since__gte=since, kind=SuppressionKind.SILENCE
    )
    times = silences.order_by().values_list("fingerprint", "since").distinct()
    return Told(notifications=notifications, silenced=Counter(found for found, _ in times))
