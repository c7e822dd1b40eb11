"""Words of this app."""

from django.db import models


class DeliveryStatus(models.TextChoices):
    """Where a delivery is in its life."""

    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed for good"
    SUPERSEDED = "superseded", "Replaced by a newer one"
