"""The formats a configuration schema may name, checked on values: JSON Schema leaves them open."""

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import re2

from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.contracts.schedules import (
    ScheduleError,
    next_calendar,
    next_cron,
    parse_timezone,
)

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_LONGEST_HOST = 253
_LONGEST_PATTERN = 4096


def _explain_duration(text: str) -> str | None:
    try:
        parse_duration_ms(text)
    except DurationError:
        return "Write a duration such as 30s, 5m, 1h30m or 500ms."
    return None


def _explain_uri(text: str) -> str | None:
    hint = "Write a full address such as https://example.org/path."
    if any(character.isspace() or not character.isprintable() for character in text):
        return "Remove the spaces and control characters from the address."
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return hint
    return None if parts.scheme and parts.hostname else hint


def _explain_hostname(text: str) -> str | None:
    if _is_address(text):
        return None
    name = text.removesuffix(".")
    try:
        ascii_name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_name = ""
    is_name = 0 < len(ascii_name) <= _LONGEST_HOST and re.fullmatch(
        rf"{_LABEL}(\.{_LABEL})*", ascii_name
    )
    if is_name:
        return None
    return "Write a host name or an IP address, without scheme, port or path."


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _explain_regex(text: str) -> str | None:
    if len(text) > _LONGEST_PATTERN:
        return f"Shorten the pattern to {_LONGEST_PATTERN} characters."
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        detail = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return f"Write a pattern in RE2 syntax ({detail})."
    return None


def _explain_timezone(text: str) -> str | None:
    try:
        parse_timezone(text)
    except ScheduleError:
        return "Write a time zone of the tz database, such as UTC or Europe/Berlin."
    return None


def _explain_cron(text: str) -> str | None:
    try:
        next_cron(text, datetime.now(UTC))
    except ScheduleError as error:
        return f"Write five cron fields such as 0 3 * * * ({error})"
    return None


def _explain_calendar(text: str) -> str | None:
    try:
        next_calendar(text, datetime.now(UTC))
    except ScheduleError as error:
        return f"Write a calendar expression such as Mon..Fri 08:30 ({error})"
    return None


def _explain_email(text: str) -> str | None:
    local, at, host = text.rpartition("@")
    is_plain = not any(c.isspace() or not c.isprintable() or c in '<>,;:"' for c in text)
    if at and local and is_plain and _explain_hostname(host) is None:
        return None
    return "Write one mail address such as ops@example.org."


def _explain_date_time(text: str) -> str | None:
    hint = "Write a time such as 2026-01-31T08:00:00Z."
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return hint
    return None if moment.tzinfo else hint


FORMATS: dict[str, Callable[[str], str | None]] = {
    "calendar": _explain_calendar,
    "cron": _explain_cron,
    "date-time": _explain_date_time,
    "duration": _explain_duration,
    "email": _explain_email,
    "hostname": _explain_hostname,
    "regex": _explain_regex,
    "timezone": _explain_timezone,
    "uri": _explain_uri,
}
"""Name of a format → what to do about a value that is not one, None for a good value."""
