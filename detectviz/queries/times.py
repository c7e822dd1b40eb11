"""Times of a request: Unix milliseconds, RFC 3339, or ``now-1h`` with rounding as ``now/d``."""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 253_402_300_799_999  # the end of the year 9999
_STEP = re.compile(r"([+-])(\d{0,9})([smhdwMy])|/([smhdwMy])")  # noqa: TID251 - our own constant
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_time_ms(given: object, now_ms: int, *, is_end: bool = False) -> int:
    """Return Unix milliseconds; rounding goes to the end of the unit where ``is_end``.

    Raise ValueError saying what may be written.
    """
    found: float | None = None
    if isinstance(given, int | float) and not isinstance(given, bool):
        found = given
    elif isinstance(given, str):
        found = _text_ms(given.strip(), now_ms, is_end=is_end)
    if found is None or not 0 <= found <= _LATEST_MS:
        raise ValueError(
            "must be Unix milliseconds, a time as 2026-01-31T12:00:00Z, or as now-1h or now/d"
        )
    return int(found)


def _text_ms(text: str, now_ms: int, *, is_end: bool) -> float | None:
    if text.isascii() and text.isdecimal() and len(text) <= len(str(_LATEST_MS)):
        return int(text)
    try:
        if text.startswith("now"):
            return _relative_ms(text[3:], now_ms, is_end=is_end)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _relative_ms(steps: str, now_ms: int, *, is_end: bool) -> int | None:
    moment, at = _EPOCH + timedelta(milliseconds=now_ms), 0
    while at < len(steps):
        found = _STEP.match(steps, at)
        if found is None:
            return None
        sign, count, unit, rounded = found.groups()
        if rounded:
            moment = _rounded(moment, rounded, is_end=is_end)
        else:
            moment = _moved(moment, int(f"{sign}{count or 1}"), unit)
        at = found.end()
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _moved(moment: datetime, count: int, unit: str) -> datetime:
    if unit in _SECONDS:
        return moment + timedelta(seconds=count * _SECONDS[unit])
    months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:  # noqa: PLR2004 - datetime's own bounds
        raise ValueError("out of range")
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _rounded(moment: datetime, unit: str, *, is_end: bool) -> datetime:
    start = moment.replace(microsecond=0)
    order = ("s", "m", "h", "d", "M", "y")
    wanted = order.index("d" if unit == "w" else unit)
    zeros = {"second": 0, "minute": 0, "hour": 0, "day": 1, "month": 1}
    start = start.replace(**dict(list(zeros.items())[:wanted]))  # type: ignore[arg-type]  # all ints
    if unit == "w":
        start -= timedelta(days=start.weekday())
    return _moved(start, 1, unit) - timedelta(milliseconds=1) if is_end else start
