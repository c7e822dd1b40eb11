"""What is known about metrics."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import models

from apps.series.models import MetricMetadata
from detectviz.tsdb.labels import MAX_NAME_BYTES, is_utf8

TYPES = frozenset(
    {"counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"}
)
LONGEST_HELP = 1024
LONGEST_UNIT = 64
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDescription:
    """What a sender says about one metric; ``type`` in OpenMetrics' words, in lower case."""

    metric: str
    type: str = "unknown"
    help: str = ""
    unit: str = ""

    @property
    def is_storable(self) -> bool:
        """Whether the name is one that series can have."""
        name = self.metric
        return bool(name) and "\0" not in name and is_utf8(name) and len(name) <= MAX_NAME_BYTES

    def clipped(self) -> "MetricDescription":
        """Return it as it can be kept: a known type, texts that fit and are valid."""
        return replace(
            self,
            type=self.type if self.type in TYPES else "unknown",
            help=_text(self.help, LONGEST_HELP),
            unit=_text(self.unit, LONGEST_UNIT),
        )


def metadata_list(
    org: models.Model, *, metric: str = "", limit: int | None = None
) -> list[MetricDescription]:
    """Return what is known about the org's metrics, or about one of them, ordered by name."""
    rows = MetricMetadata.objects.for_org(org).order_by("metric")
    if metric:
        rows = rows.filter(metric=metric)
    return [_description(row) for row in rows[:limit]]


def metadata_known(
    org: models.Model, metrics: Collection[str]
) -> dict[str, tuple[MetricDescription, datetime]]:
    """Return what is known about these metrics, and when it last changed."""
    names, found = list(metrics), dict[str, tuple[MetricDescription, datetime]]()
    for start in range(0, len(names), _AT_ONCE):  # SQLite takes so many parameters
        rows = MetricMetadata.objects.for_org(org).filter(
            metric__in=names[start : start + _AT_ONCE]
        )
        found |= {row.metric: (_description(row), row.updated_at) for row in rows}
    return found


def _description(row: MetricMetadata) -> MetricDescription:
    return MetricDescription(metric=row.metric, type=row.type, help=row.help, unit=row.unit)


def _text(text: str, longest: int) -> str:
    return text[:longest].replace("\0", "").encode("utf-8", "replace").decode()
