"""Reading a store of series window by window, so that a run can go on anywhere."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from detectviz.contracts.config import get_duration_s, get_int, get_text
from detectviz.contracts.durations import DurationError, parse_duration_s
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.record_batches import Part
from detectviz.contracts.record_documents import parse_time_ms
from detectviz.contracts.records import Record
from detectviz.contracts.types import JsonObject


class WindowTooLargeError(Exception):
    """A store does not answer all of a window at once; half of it is asked for instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record of the series ``key`` at ``at``, a whole number in the store's own unit."""

    key: str
    at: int
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From ``start`` up to but without ``end``, in the store's own unit."""

    start: int
    end: int


Fetch = Callable[[Span], Iterable[Entry]]


def window_parts(span: Span, *, width: int, cursor: JsonObject, fetch: Fetch) -> Iterator[Part]:
    """Yield the entries of ``span`` as parts, window by window; within one by series and time.

    ``cursor`` is that of the last part stored: a run that goes on keeps the end it began with.
    ``fetch`` returns all entries of a window or raises WindowTooLargeError. Raise PluginError when
    not even one unit can be answered at once.
    """
    start, end = get_int(cursor, "start", span.start), get_int(cursor, "until", span.end)
    window_end = get_int(cursor, "end")
    after = (get_text(cursor, "key"), get_int(cursor, "at"), get_int(cursor, "number"))
    is_resumed = bool(cursor)
    while start < end:
        stop = window_end if is_resumed else min(start + width, end)
        try:
            entries = sorted(fetch(Span(start=start, end=stop)), key=lambda e: (e.key, e.at))
        except WindowTooLargeError:
            if stop - start <= 1:
                message = "The store cannot answer the smallest window at once; select less."
                raise PluginError(message, permanent=True) from None
            is_resumed, width = False, (stop - start) // 2
            continue
        place = {"start": start, "end": stop, "until": end}
        for position, record in _numbered(entries):
            if not is_resumed or position > after:
                key, at, number = position
                where: JsonObject = {**place, "key": key, "at": at, "number": number}
                yield Part(records=(record,), cursor=where)
        start, is_resumed = stop, False


def _numbered(entries: list[Entry]) -> Iterator[tuple[tuple[str, int, int], Record]]:
    """Yield the entries with their positions; several may stand in one place of time."""
    for (key, at), same in groupby(entries, key=lambda entry: (entry.key, entry.at)):
        for number, entry in enumerate(same):
            yield (key, at, number), entry.record


def span_ms(config: JsonObject, *, now: datetime) -> Span:
    """Return the times of ``start`` and ``end`` in Unix milliseconds.

    Each is RFC 3339 or a duration before now; no ``end`` is now. Raise ConfigurationError naming
    the field.
    """
    now_ms = int(now.timestamp() * 1000)
    start = _time_ms(config, "start", now_ms)
    end = _time_ms(config, "end", now_ms) if get_text(config, "end") else now_ms
    if end <= start:
        raise ConfigurationError("The end must be later than the start.", field="/end")
    return Span(start=start, end=end)


def width_ms(config: JsonObject) -> int:
    """Return the milliseconds of ``window``."""
    return max(1, round((get_duration_s(config, "window") or 3600) * 1000))


def _time_ms(config: JsonObject, name: str, now_ms: int) -> int:
    text = get_text(config, name)
    try:
        return now_ms - round(parse_duration_s(text) * 1000)
    except DurationError:
        pass
    try:
        return parse_time_ms(text)
    except ValueError as error:
        message = "Write a time as 2026-01-31T08:30:00Z, or how long ago, as 24h."
        raise ConfigurationError(message, field=f"/{name}") from error
