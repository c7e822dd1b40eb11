"""Schedules, and who takes somebody's place for a while."""

from typing import ClassVar

from django.db import models

from detectviz.crypto.fields import EncryptedJSONField
from detectviz.resources.models import ResourceModel, new_uid
from detectviz.tenancy.models import OrgOwned


class OnCallSchedule(ResourceModel):
    """Who is on call when. ``layers`` are as written in the spec; later ones stand above.

    ``calendar`` holds the secret of the feed's address, ``calendar_digest`` finds it.
    """

    description = models.CharField(max_length=1000, blank=True, default="")
    time_zone = models.CharField(max_length=64, default="UTC")
    layers = models.JSONField(default=list)
    calendar = EncryptedJSONField(default=dict)
    calendar_digest = models.CharField(max_length=64, unique=True, editable=False)


class OnCallOverride(OrgOwned):
    """Somebody who is on call for a while whatever the rotation says; the last one said counts."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    schedule = models.ForeignKey(OnCallSchedule, on_delete=models.CASCADE, related_name="overrides")
    participant = models.CharField(max_length=80)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["starts_at", "id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["schedule", "ends_at"], name="oncall_override_recent")
        ]

    def __str__(self) -> str:
        """Return who stands in."""
        return self.participant
