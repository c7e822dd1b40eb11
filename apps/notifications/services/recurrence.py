"""When a recurring silence mutes: RFC 5545 rules, by the clocks of a place."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from apps.notifications.models import Silence

MAX_OCCURRENCES = 10_000
FREQUENCIES = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
MAX_SPAN = timedelta(days=5 * 366)


class RecurrenceError(ValueError):
    """A rule that can't be; the message says how to write one."""


def occurrences(
    text: str, *, starts_at: datetime, ends_at: datetime, location: str
) -> Sequence[datetime]:
    """Return the starts of all occurrences until ``ends_at``, aware; raise RecurrenceError.

    The rule counts by the clocks of ``location``, so that 09:00 stays 09:00 when they change.
    """
    if ends_at - starts_at > MAX_SPAN:
        raise RecurrenceError("A recurring silence lasts five years at most.")
    words = text.upper()
    if "\n" in text or "COUNT=" in words or "UNTIL=" in words:
        raise RecurrenceError("Write one RRULE without COUNT and UNTIL: ends_at is its end.")
    zone = ZoneInfo(location)
    first, last = (each.astimezone(zone).replace(tzinfo=None) for each in (starts_at, ends_at))
    try:
        rule = rrulestr(text, dtstart=first)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise RecurrenceError(
            f"{text!r} is no RRULE such as FREQ=WEEKLY;BYDAY=SA,SU: {error}"
        ) from error
    if not isinstance(rule, rrule) or not any(f"FREQ={each}" in words for each in FREQUENCIES):
        raise RecurrenceError("A silence recurs hourly, daily, weekly, monthly or yearly.")
    bounded = rule.replace(until=last)  # or a rule that never occurs would be looked for forever
    found = tuple(islice(bounded, MAX_OCCURRENCES + 1))
    if len(found) > MAX_OCCURRENCES:
        raise RecurrenceError(f"A silence recurs {MAX_OCCURRENCES} times at most.")
    return tuple(each.replace(tzinfo=zone) for each in found)


def muting_until(silence: Silence, now: datetime) -> datetime | None:
    """Return when a silence that mutes now ends to do so; None when it does not mute now."""
    if not silence.starts_at <= now < silence.ends_at:
        return None
    if not silence.rrule:
        return silence.ends_at
    starts = _starts_of(silence)
    at = bisect_right(starts, now)
    if at == 0:
        return None
    over_at = starts[at - 1] + timedelta(milliseconds=silence.duration_ms)
    return min(over_at, silence.ends_at) if now < over_at else None


def next_change_at(silence: Silence, now: datetime) -> datetime | None:
    """Return when a silence next begins or ends to mute; None when it never will."""
    if now >= silence.ends_at:
        return None
    if (until := muting_until(silence, now)) is not None:
        return until
    if not silence.rrule:
        return silence.starts_at
    starts = _starts_of(silence)
    at = bisect_right(starts, now)
    return starts[at] if at < len(starts) else None


def _starts_of(silence: Silence) -> Sequence[datetime]:
    return _known(silence.rrule, silence.starts_at, silence.ends_at, silence.location)


@lru_cache(maxsize=512)
def _known(text: str, starts_at: datetime, ends_at: datetime, location: str) -> Sequence[datetime]:
    return occurrences(text, starts_at=starts_at, ends_at=ends_at, location=location)
