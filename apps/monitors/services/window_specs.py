"""Maintenance windows as written: read, judged, stored, begun and ended by hand."""

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Any

from django.db import models

from apps.monitors.enums import WindowState, WindowStrategy
from apps.monitors.models import MaintenanceWindow
from apps.monitors.services.windows import (
    LONGEST,
    WEEKDAYS,
    Span,
    Window,
    WindowError,
    next_span,
    nth_weekday,
    span_at,
    spans,
    window_check,
    zone_of,
)
from detectviz.promql.errors import PromqlError
from detectviz.promql.parser import parse
from detectviz.resources.errors import ConflictError, InvalidFieldsError
from detectviz.resources.label_selector import parse_label_selector
from detectviz.runtime.wakeups import wake_on_commit
from detectviz.tsdb.interface import METRIC_NAME

APPLY = "monitors.windows"
_TIMES = (
    *("strategy", "starts_at", "ends_at", "cron", "weekdays", "days", "nth_weekdays"),
    *("start_time", "location"),
)
_COVERED = ("monitors", "selector", "folders", "matchers")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    WindowStrategy.ONCE: ("starts_at", "ends_at"),
    WindowStrategy.CRON: ("cron", "duration"),
    WindowStrategy.WEEKLY: ("weekdays", "duration"),
    WindowStrategy.MONTHLY: ("duration",),
}
_FOREIGN: Mapping[str, tuple[str, ...]] = {
    WindowStrategy.ONCE: ("cron", "weekdays", "days", "nth_weekdays", "duration"),
    WindowStrategy.CRON: ("weekdays", "days", "nth_weekdays"),
    WindowStrategy.WEEKLY: ("cron", "days", "nth_weekdays"),
    WindowStrategy.MONTHLY: ("cron", "weekdays"),
}


def window_of(row: MaintenanceWindow) -> Window:
    """Return the times a stored window means."""
    return Window(
        strategy=WindowStrategy(row.strategy),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        cron=row.cron,
        weekdays=[WEEKDAYS.index(each) for each in row.weekdays],
        days=row.days,
        nth_weekdays=[nth_weekday(each) for each in row.nth_weekdays],
        start_time=time.fromisoformat(row.start_time),
        duration=timedelta(milliseconds=row.duration_ms),
        zone=zone_of(row.location),
        begun_at=row.begun_at,
        ended_at=row.ended_at,
    )


def window_state(row: MaintenanceWindow, now: datetime) -> WindowState:
    """Return where a window is in its life."""
    if not row.is_enabled:
        return WindowState.DISABLED
    window = window_of(row)
    if span_at(window, now) is not None:
        return WindowState.ACTIVE
    return WindowState.SCHEDULED if next_span(window, now) else WindowState.OVER


def window_write(
    *,
    org: models.Model,
    name: str,
    spec: Mapping[str, Any],
    folder: models.Model | None,
    instance: MaintenanceWindow | None,
    now: datetime,
) -> MaintenanceWindow:
    """Create or change a window from its spec; raise InvalidFieldsError."""
    if errors := {**dict(_time_errors(spec)), **dict(_cover_errors(spec))}:
        raise InvalidFieldsError(errors)
    row = instance or MaintenanceWindow(org_id=org.pk, name=name)
    before = [getattr(row, each) for each in (*_TIMES, "duration_ms")]
    _fill(row, spec)
    row.folder_id = folder.pk if folder else None
    if before != [getattr(row, each) for each in (*_TIMES, "duration_ms")]:
        row.begun_at = row.ended_at = None  # what was done by hand was about other times
    _times_require(row, now)
    return _saved(row, now)


def window_draft(*, org: models.Model, spec: Mapping[str, Any], now: datetime) -> MaintenanceWindow:
    """Return a window as typed so far, with the times of its spec; nothing is saved.

    What it covers may be missing or wrong still. Raise InvalidFieldsError about its times.
    """
    if errors := dict(_time_errors(spec)):
        raise InvalidFieldsError(errors)
    row = MaintenanceWindow(org_id=org.pk)
    _fill(row, spec)
    _times_require(row, now)
    return row


def window_ahead(row: MaintenanceWindow, *, now: datetime, limit: int) -> list[Span]:
    """Return the next times that begin after ``now``."""
    found = spans(window_of(row), after=now)
    return list(islice((each for each in found if each.starts_at > now), limit))


def window_begin(*, window: MaintenanceWindow, now: datetime) -> MaintenanceWindow:
    """Begin a window now, for its whole length; raise ConflictError where that can't be.

    What is planned stays planned: a plan that begins before this one ends prolongs it.
    """
    if not window.is_enabled:
        raise ConflictError("The window is switched off; switch it on first.")
    if span_at(window_of(window), now) is not None:
        raise ConflictError("The window is on already.")
    window.begun_at, window.ended_at = now, None
    return _saved(window, now)


def window_end(*, window: MaintenanceWindow, now: datetime) -> MaintenanceWindow:
    """End what is on now; the times to come stay. Raise ConflictError when it is not on."""
    if not window.is_enabled or span_at(window_of(window), now) is None:
        raise ConflictError("The window is not on.")
    window.ended_at = now
    return _saved(window, now)


def _fill(row: MaintenanceWindow, spec: Mapping[str, Any]) -> None:
    for each in (*_TIMES, *_COVERED, "title", "note"):
        setattr(row, each, spec[each])
    row.duration_ms = round((spec["duration"] or 0) * 1000)
    row.covers_all, row.is_enabled = spec["all_monitors"], spec["enabled"]
    row.is_collecting = spec["collect"]


def _times_require(row: MaintenanceWindow, now: datetime) -> None:
    try:
        window_check(window_of(row), now)
    except WindowError as error:
        raise InvalidFieldsError({f"spec.{error.field}": [str(error)]}) from error


def _saved(row: MaintenanceWindow, now: datetime) -> MaintenanceWindow:
    row.next_change_at = now  # whoever applies windows looks at once
    row.save()
    wake_on_commit(APPLY)
    return row


def _time_errors(spec: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    strategy = spec["strategy"]
    for each in _NEEDED[strategy]:
        if not spec[each]:
            yield f"spec.{each}", [f"A window of strategy {strategy} needs it."]
    for each in _FOREIGN[strategy]:
        if spec[each]:
            yield f"spec.{each}", [f"A window of strategy {strategy} has none."]
    if strategy == WindowStrategy.MONTHLY and not spec["days"] and not spec["nth_weekdays"]:
        yield "spec.days", ["Say on which days, or on which weekdays of the month."]
    if spec["duration"] and spec["duration"] > LONGEST.total_seconds():
        yield "spec.duration", ["A recurring window lasts 31 days at most."]
    for text in spec["nth_weekdays"]:
        try:
            nth_weekday(text)
        except WindowError as error:
            yield "spec.nth_weekdays", [str(error)]


def _cover_errors(spec: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    if not spec["all_monitors"] and not any(spec[each] for each in _COVERED):
        yield "spec.monitors", ["Say what is worked on: monitors, a selector, folders or matchers."]
    try:
        parse_label_selector(spec["selector"])
    except InvalidFieldsError as error:
        yield "spec.selector", [text for texts in error.fields.values() for text in texts]
    if wrong := [text for text in spec["matchers"] if not _is_matcher(text)]:
        yield "spec.matchers", [f'{text!r} is no matcher such as team="web".' for text in wrong]


def _is_matcher(text: str) -> bool:
    """Say whether a text is one matcher, as Prometheus and Alertmanager both write it."""
    try:
        found = parse(f"m{{{text}}}")
    except PromqlError:
        return False
    own = [each for each in getattr(found, "matchers", ()) if each.name != METRIC_NAME]
    return len(own) == 1 and text.rstrip().endswith('"')
