"""A request for rule quality: over what time, on whose clock."""

from collections.abc import Mapping
from datetime import UTC, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apps.alerting.services.rule_quality import DEFAULT_WINDOW
from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.resources.errors import InvalidFieldsError

LONGEST_WINDOW = timedelta(days=365)


def window_of(parameters: Mapping[str, str], default: timedelta = DEFAULT_WINDOW) -> timedelta:
    """Return the time ``window`` asks for. Raise InvalidFieldsError for what is none."""
    text = parameters.get("window", "")
    if not text:
        return default
    try:
        window = timedelta(milliseconds=parse_duration_ms(text))
    except DurationError as error:
        raise InvalidFieldsError({"window": [str(error)]}) from error
    if not timedelta(0) < window <= LONGEST_WINDOW:
        raise InvalidFieldsError({"window": ["Must be more than nothing and at most 365d."]})
    return window


def zone_of(parameters: Mapping[str, str], *, default: str) -> tzinfo:
    """Return the time zone ``tz`` names, the org's own unless it is said."""
    name = parameters.get("tz", "") or default
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidFieldsError({"tz": [f"There is no time zone {name[:100]!r}."]}) from error
