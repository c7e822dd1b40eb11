"""Which plugins are switched off, what orgs set for them, and how much they are used."""

from typing import ClassVar

from django.db import models

from detectviz.crypto.fields import EncryptedJSONField
from detectviz.json_field import JSONField
from detectviz.resources.models import new_uid
from detectviz.tenancy.models import OrgOwned


class PluginSwitch(models.Model):
    """The deployment's word on a plugin. A plugin without a row is on."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=63)
    is_enabled = models.BooleanField(default=True)
    settings = JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["kind", "name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "name"], name="extensions_switch_unique")
        ]

    def __str__(self) -> str:
        """Return kind/name."""
        return f"{self.kind}/{self.name}"


class OrgPlugin(OrgOwned):
    """An org's word on a plugin, and what it set for it. Without a row it is on and unset."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=63)
    is_enabled = models.BooleanField(default=True)
    config = JSONField(default=dict, blank=True)
    secrets = EncryptedJSONField()
    resource_version = models.PositiveBigIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        ordering: ClassVar[list[str]] = ["kind", "name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["org", "kind", "name"], name="extensions_orgplugin_unique"
            )
        ]

    def __str__(self) -> str:
        """Return kind/name."""
        return f"{self.kind}/{self.name}"


class PluginApproval(models.Model):
    """What an administrator allowed a plugin to do, for the whole deployment.

    ``permissions`` are words such as ``network:http``. A plugin that is not built in and asks for
    more is not run.
    """

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=63)
    permissions = JSONField(default=list, blank=True)
    version = models.CharField(max_length=64, blank=True)
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["kind", "name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "name"], name="extensions_approval_unique")
        ]

    def __str__(self) -> str:
        """Return kind/name."""
        return f"{self.kind}/{self.name}"


class PluginStamp(models.Model):
    """One row: numbers that grow when switches or installed folders change.

    Every process compares them with those it knows and reads the rest only when they differ.
    """

    policy = models.PositiveBigIntegerField(default=0)
    folders = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        """Return both numbers."""
        return f"{self.policy}.{self.folders}"


class PluginUse(models.Model):
    """Calls of one plugin on one day (UTC), summed over all processes and orgs."""

    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=63)
    day = models.DateField()
    executions = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)

    class Meta:
        ordering: ClassVar[list[str]] = ["-day", "kind", "name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "name", "day"], name="extensions_use_unique")
        ]

    def __str__(self) -> str:
        """Return kind/name and the day."""
        return f"{self.kind}/{self.name} {self.day}"
