"""Targets of the monitors that scrape."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models

from apps.monitors.models import ScrapeStatus
from detectviz.clock import from_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One target: what Prometheus' ``/targets`` shows. ``pool`` is the monitor's name.

    ``health`` is ``up``, ``down`` or ``unknown`` (not scraped yet); ``labels`` are empty for a
    dropped target.
    """

    pool: str
    discovered_labels: Mapping[str, str]
    labels: Mapping[str, str]
    scrape_url: str
    health: str
    last_error: str
    last_scrape: datetime | None
    last_scrape_duration_s: float
    interval_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeTargets:
    """All targets of an org; the lists are capped per monitor, the totals by pool are not."""

    active: tuple[TargetRow, ...]
    dropped: tuple[TargetRow, ...]
    active_totals: Mapping[str, int]
    dropped_totals: Mapping[str, int]


def scrape_targets(
    org: models.Model | int, *, monitors: Iterable[int] | None = None
) -> ScrapeTargets:
    """Return the targets of the org's enabled monitors, or of those with the given keys."""
    rows = ScrapeStatus.objects.for_org(org).filter(monitor__is_enabled=True)
    if monitors is not None:
        rows = rows.filter(monitor_id__in=list(monitors))
    found = list(rows.select_related("monitor").order_by("monitor__name"))
    return ScrapeTargets(
        active=tuple(_row(status, each) for status in found for each in status.active),
        dropped=tuple(_row(status, each) for status in found for each in status.dropped),
        active_totals={status.monitor.name: status.active_total for status in found},
        dropped_totals={status.monitor.name: status.dropped_total for status in found},
    )


def _row(status: ScrapeStatus, target: Mapping[str, Any]) -> TargetRow:
    scraped_at_ms = target.get("scraped_at_ms")
    return TargetRow(
        pool=status.monitor.name,
        discovered_labels=target.get("discovered_labels", {}),
        labels=target.get("labels", {}),
        scrape_url=target.get("url", ""),
        health=target.get("health", "unknown"),
        last_error=target.get("error", ""),
        last_scrape=None if scraped_at_ms is None else from_ms(scraped_at_ms),
        last_scrape_duration_s=target.get("duration_s", 0.0),
        interval_s=status.monitor.interval_s,
        timeout_s=status.monitor.timeout_s,
    )
