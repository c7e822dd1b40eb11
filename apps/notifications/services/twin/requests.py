"""What somebody asks of the twin, read from an API body, a form or a command line."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.dateparse import parse_datetime

from apps.notifications.services.twin.replays import ReplayAsked
from detectviz.contracts.durations import parse_duration_s
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.yaml import MalformedYamlError, load_documents

MAX_ALERTS = 10_000
MAX_LABELS = 128
MAX_TEXT = 500_000
FIELDS = ("since", "until", "manifests", "proposed", "without", "alerts", "location")
_AMS = {"startsAt": "starts_at", "endsAt": "ends_at"}
T = TypeVar("T")


def replay_asked(given: object, *, now: datetime) -> ReplayAsked:
    """Return what is asked for; raise InvalidFieldsError naming every wrong field.

    ``since`` (7d) and ``until`` (now) are times or durations before now. The proposal is
    ``manifests`` (a list), or ``proposed``, YAML of manifests or a file of Alertmanager's or
    Grafana's. ``alerts`` is a list of ``{labels, starts_at, ends_at}``; Alertmanager's own names
    are understood too.
    """
    if not isinstance(given, Mapping):
        raise InvalidFieldsError({"": ["Must be an object."]})
    errors: dict[str, list[str]] = {
        str(name): ["Unknown field."] for name in given if name not in FIELDS
    }

    def read(name: str, how: Callable[[Any], T], default: Any) -> T | None:
        value = given.get(name)
        try:
            return how(default if value is None or value == "" else value)
        except _WrongError as error:
            errors[f"{name}{error.path}"] = [str(error)]
            return None

    since = read("since", lambda value: _moment(value, now), "7d")
    until = read("until", lambda value: _moment(value, now), now)
    manifests = read("manifests", lambda value: _list(value, Mapping), [])
    proposed = read("proposed", _documents, "")
    without = read("without", lambda value: _list(value, str), [])
    alerts = read("alerts", lambda value: _alerts(value, now), _NONE)
    location = read("location", _location, "UTC")
    if errors or since is None or until is None:
        raise InvalidFieldsError(errors)
    return ReplayAsked(
        since=since,
        until=until,
        documents=[*(manifests or ()), *(proposed or ())],
        without=without or (),
        alerts=alerts,
        location=location or "UTC",
    )


_NONE = object()


class _WrongError(ValueError):
    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


def _moment(value: Any, now: datetime) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    text = str(value)[:64]
    try:
        return now - timedelta(seconds=parse_duration_s(text))
    except OverflowError as error:
        raise _WrongError("That is too long ago.") from error
    except ValueError:
        pass
    try:
        read = parse_datetime(text)
    except ValueError:
        read = None
    if read is None:
        raise _WrongError("Write a time such as 2026-05-01T08:00:00Z, or a duration such as 7d.")
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _list(value: Any, kind: type) -> list[Any]:
    if not isinstance(value, Sequence) or not all(isinstance(each, kind) for each in value):
        raise _WrongError("Must be a list.")
    return list(value)


def _documents(value: Any) -> list[Any]:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise _WrongError(f"Must be text of at most {MAX_TEXT} characters.")
    try:
        return load_documents(value) if value.strip() else []
    except MalformedYamlError as error:
        raise _WrongError(error.message) from error


def _alerts(value: Any, now: datetime) -> list[dict[str, Any]] | None:
    if value is _NONE:
        return None
    given = _list(value, Mapping)
    if len(given) > MAX_ALERTS:
        raise _WrongError(f"At most {MAX_ALERTS} alerts can be replayed.")
    return [_alert(index, each, now) for index, each in enumerate(given)]


def _alert(index: int, given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    alert = {_AMS.get(name, name): value for name, value in given.items()}
    labels, starts_at, ends_at = alert.get("labels"), alert.get("starts_at"), alert.get("ends_at")
    if not isinstance(labels, Mapping) or len(labels) > MAX_LABELS:
        raise _WrongError("Must be an object of names and values.", f"[{index}].labels")
    if not all(isinstance(text, str) for pair in labels.items() for text in pair):
        raise _WrongError("Names and values must be text.", f"[{index}].labels")
    if not starts_at:
        raise _WrongError("Say when it began to fire.", f"[{index}].starts_at")
    try:
        return {
            "labels": dict(labels),
            "starts_at": _moment(starts_at, now),
            "ends_at": _moment(ends_at, now) if ends_at else None,
            "rule_group": str(alert.get("rule_group", "")),
        }
    except _WrongError as error:
        raise _WrongError(str(error), f"[{index}]") from error


def _location(value: Any) -> str:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _WrongError("There is no such time zone.") from error
    return str(value)
