"""What is known about series beside their samples."""

from django.db import models

from detectviz.json_field import JSONField
from detectviz.tenancy.models import OrgOwned


class MetricMetadata(OrgOwned):
    """Type, help and unit of one metric, as its sender last said."""

    metric = models.CharField(max_length=128)
    type = models.CharField(max_length=16)
    help = models.CharField(max_length=1024, blank=True)
    unit = models.CharField(max_length=64, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "metric"], name="series_metadata_metric"),
        ]

    def __str__(self) -> str:
        return self.metric


class Exemplar(OrgOwned):
    """One observation that stands for many, such as a trace of a slow request.

    ``labels`` are the series', with ``__name__``; ``exemplar_labels`` its own. ``value`` is text as
    Prometheus writes floats, since not every database can hold NaN.
    """

    metric = models.CharField(max_length=128)
    key_digest = models.CharField(max_length=32)
    labels = JSONField()
    exemplar_labels = JSONField()
    value = models.CharField(max_length=32)
    timestamp_ms = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["org", "key_digest", "timestamp_ms"], name="series_exemplar_moment"
            ),
        ]
        indexes = [
            models.Index(fields=["org", "metric", "timestamp_ms"], name="series_exemplar_metric"),
            models.Index(fields=["org", "timestamp_ms"], name="series_exemplar_time"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.value}"


class Refusal(OrgOwned):
    """How many samples of one hour a door refused for one reason, and the last one in words."""

    door = models.CharField(max_length=32)
    reason = models.CharField(max_length=32)
    hour_at = models.DateTimeField()
    count = models.BigIntegerField(default=0)
    example = models.CharField(max_length=400, blank=True)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["org", "door", "reason", "hour_at"], name="series_refusal_hour"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.door} {self.reason} {self.count}"
