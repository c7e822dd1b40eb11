"""Writing watchdogs."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.db import models

from apps.notifications.models import ContactPoint, Watchdog
from apps.notifications.services.watchdogs import watchdog_points
from detectviz.contracts.durations import parse_duration_ms
from detectviz.resources.errors import InvalidFieldsError

MIN_EVERY_MS = 60_000


def watchdog_write(
    *, org: models.Model, name: str, spec: Mapping[str, Any], instance: Watchdog | None
) -> Watchdog:
    """Create or update a watchdog from its spec; its next round begins at once.

    Raise InvalidFieldsError; the fallback has to be another path than the one that is watched.
    """
    row = instance or Watchdog(org_id=org.pk, name=name)
    _fill(row, spec)
    row.deadline_at = row.next_round_at = None
    if not row.is_enabled:
        row.is_failing, row.failing_since, row.problem = False, None, ""
    if errors := dict(_errors(org, row)):
        raise InvalidFieldsError(errors)
    row.save()
    return row


def watchdog_draft(
    *, org: models.Model, spec: Mapping[str, Any]
) -> tuple[Watchdog, dict[str, list[str]]]:
    """Return a watchdog as typed so far with what is wrong with it; nothing is saved."""
    row = Watchdog(org_id=org.pk, name="new")
    _fill(row, spec)
    return row, dict(_errors(org, row))


def _fill(row: Watchdog, spec: Mapping[str, Any]) -> None:
    row.title, row.route_labels = spec["title"], dict(spec["labels"])
    row.every_ms, row.within_ms = (
        parse_duration_ms(spec["every"]),
        parse_duration_ms(spec["within"]),
    )
    row.proof, row.fallback = spec["proof"], spec["fallback"]
    row.dead_mans_switch_url, row.is_enabled = spec["dead_mans_switch_url"], spec["enabled"]


def _errors(org: models.Model, row: Watchdog) -> Iterator[tuple[str, list[str]]]:
    if row.every_ms < MIN_EVERY_MS:
        yield "spec.every", ["Must be 1m or more."]
    if not 0 < row.within_ms <= row.every_ms:
        yield "spec.within", ["Must be more than nothing and not longer than every."]
    if not row.fallback and not row.dead_mans_switch_url:
        yield "spec.fallback", ["Name a contact point to tell, or a dead_mans_switch_url, or both."]
    url = urlsplit(row.dead_mans_switch_url)
    if row.dead_mans_switch_url and (url.scheme not in {"http", "https"} or not url.hostname):
        yield "spec.dead_mans_switch_url", ["Must be an http or https address."]
    if not row.fallback:
        return
    if not ContactPoint.objects.for_org(org).filter(name=row.fallback).exists():
        yield "spec.fallback", [f"There is no contact point {row.fallback!r}."]
    elif row.fallback in watchdog_points(row):
        words = "These labels are routed to it already: name one that is told another way."
        yield "spec.fallback", [words]
