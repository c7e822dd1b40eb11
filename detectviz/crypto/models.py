"""Wrapped data keys."""

from django.conf import settings
from django.db import models

from detectviz.resources.models import new_uid

PLATFORM_SCOPE = "platform"
AUDIT_SCOPE = "audit"


class DataKey(models.Model):
    """A data key, wrapped by the key-encryption key ``kek_id``.

    ``scope`` is the org's uid, or a word for keys of the platform. A retired key seals nothing
    new and is kept to open what it sealed. Deleting an org deletes its keys, and with them every
    readable trace of its secrets.
    """

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    org = models.ForeignKey(
        settings.DETECTVIZ_ORG_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    scope = models.CharField(max_length=32)
    kek_id = models.CharField(max_length=16, db_index=True)
    wrapped = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["scope"],
                condition=models.Q(retired_at__isnull=True),
                name="crypto_datakey_one_current_per_scope",
            )
        ]

    def __str__(self) -> str:
        """Return the public part."""
        return f"{self.scope}/{self.uid}"
