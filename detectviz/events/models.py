"""The outbox: what happened, and who has still to be told."""

from typing import Any, ClassVar

from django.db import models

from detectviz.json_field import JSONField
from detectviz.resources.models import new_uid
from detectviz.tenancy.models import OrgOwned

BUS = "bus"  # the target that stands for everybody outside


class DeliveryStatus(models.TextChoices):
    """Where the telling of one target stands."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"
    DISCARDED = "discarded"


class OutboxEvent(OrgOwned):
    """One integration event, written in the transaction of what it tells."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    type = models.CharField(max_length=100)
    version = models.PositiveIntegerField()
    subject = models.CharField(max_length=300)
    key = models.CharField(max_length=200)
    data: "models.JSONField[Any, Any]" = JSONField()
    at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["pk"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org", "-id"]),
            models.Index(fields=["created_at"]),
        ]

    def __str__(self) -> str:
        """Return type and subject."""
        return f"{self.type} {self.subject}"


class EventDelivery(OrgOwned):
    """What one target (the bus, or a subscriber) has been told of one event.

    ``uid`` names a dead letter. The row is the idempotency key: a subscriber's work and its
    ``done`` are one transaction.
    """

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="deliveries")
    target = models.CharField(max_length=100)
    status = models.CharField(
        max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING
    )
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    last_error = models.TextField(blank=True, default="")

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["event", "target"], name="events_delivery_once_each")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["status", "next_attempt_at"]),
            models.Index(fields=["org", "status"]),
        ]

    def __str__(self) -> str:
        """Return target and status."""
        return f"{self.target}: {self.status}"
