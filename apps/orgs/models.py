"""Organisations and their folders."""

from django.db import models

from detectviz.resources.models import ResourceModel, name_validator, new_uid


class Org(models.Model):
    """The tenant: everything a user makes belongs to exactly one."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[name_validator])
    title = models.CharField(max_length=200, blank=True, default="")
    is_active = models.BooleanField(default=True)
    theme = models.CharField(max_length=63, blank=True, default="", editable=False)
    time_zone = models.CharField(max_length=64, default="UTC", editable=False)
    resource_version = models.PositiveBigIntegerField(default=1, editable=False)
    generation = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        """Return the name."""
        return self.name


class Folder(ResourceModel):
    """A container for permissions inside an org. Folders do not nest."""

    folder = None  # removes the inherited field, as Django documents


class Quota(ResourceModel):
    """What an org may store in time series, and for how long. Null means the platform's default.

    Durations are seconds; a rollup retention of 0 makes none.
    """

    folder = None  # removes the inherited field, as Django documents
    max_series = models.PositiveBigIntegerField(null=True, blank=True)
    samples_per_s = models.PositiveBigIntegerField(null=True, blank=True)
    max_labels = models.PositiveSmallIntegerField(null=True, blank=True)
    max_label_name_bytes = models.PositiveSmallIntegerField(null=True, blank=True)
    max_label_value_bytes = models.PositiveSmallIntegerField(null=True, blank=True)
    out_of_order_s = models.PositiveBigIntegerField(null=True, blank=True)
    retention_s = models.PositiveBigIntegerField(null=True, blank=True)
    rollup_5m_retention_s = models.PositiveBigIntegerField(null=True, blank=True)
    rollup_1h_retention_s = models.PositiveBigIntegerField(null=True, blank=True)
