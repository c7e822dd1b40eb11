"""What happened, who did it and from where. Rows are added and never changed."""

import json
from typing import Any, NoReturn

from django.conf import settings
from django.db import models

from detectviz.resources.models import new_uid

PLATFORM_CHAIN = "platform"


class AuditIsAppendOnlyError(RuntimeError):
    """Somebody tried to change or delete an audit event."""


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    """Reads freely; refuses every change but retention."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AuditIsAppendOnlyError("Audit events are never changed.")

    def delete(self) -> NoReturn:
        """Refuse."""
        raise AuditIsAppendOnlyError("Audit events are removed by retention only.")

    def prune(self, *, scope: str, through_seq: int) -> int:
        """Remove the beginning of one chain; only retention does, which notes where it cut."""
        old = self.filter(scope=scope, seq__lte=through_seq)
        return old._raw_delete(using=self.db)  # noqa: SLF001 - Django's own way past delete()


class AuditChain(models.Model):
    """The end of one chain of events: an org's, or the platform's own."""

    scope = models.CharField(max_length=32, unique=True)
    last_seq = models.PositiveBigIntegerField(default=0)
    last_hash = models.CharField(max_length=64, blank=True, default="")
    pruned_seq = models.PositiveBigIntegerField(default=0)
    pruned_hash = models.CharField(max_length=64, blank=True, default="")

    def __str__(self) -> str:
        """Return the scope."""
        return self.scope


class AuditEvent(models.Model):
    """One event. ``hash`` covers the row and ``prev_hash``, so a change anywhere shows."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    org = models.ForeignKey(
        settings.DETECTVIZ_ORG_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    scope = models.CharField(max_length=32)
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=150)
    via = models.CharField(max_length=16)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64)
    action = models.CharField(max_length=64)
    kind = models.CharField(max_length=64, blank=True, default="")
    name = models.CharField(max_length=200, blank=True, default="")
    object_uid = models.CharField(max_length=32, blank=True, default="")
    is_success = models.BooleanField(default=True)
    before_json = models.TextField(blank=True, default="")  # as hashed: jsonb would rewrite it
    after_json = models.TextField(blank=True, default="")
    prev_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-seq"]
        constraints = [
            models.UniqueConstraint(fields=["scope", "seq"], name="audit_event_seq_once_in_chain")
        ]
        indexes = [
            models.Index(fields=["org", "-at"]),
            models.Index(fields=["org", "kind", "name"]),
        ]

    def __str__(self) -> str:
        """Return who did what."""
        return f"{self.actor_name} {self.action} {self.kind} {self.name}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        if self.pk is not None:
            raise AuditIsAppendOnlyError("Audit events are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AuditIsAppendOnlyError("Audit events are removed by retention only.")

    @property
    def before(self) -> Any:
        """The masked envelope before, None when there was none."""
        return json.loads(self.before_json) if self.before_json else None

    @property
    def after(self) -> Any:
        """The masked envelope after, or details of an event that is no write."""
        return json.loads(self.after_json) if self.after_json else None
