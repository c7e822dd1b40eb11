"""Bodies of requests, read as Alertmanager's generated server reads them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from apps.notifications.api.alertmanager.door import AnswerError
from apps.notifications.services.foreign_alerts import ForeignAlert

_MICROSECOND_DIGITS = 6
_REQUIRED = 602
_TYPE = 601
_ZERO_YEAR = 1


def json_body(raw: bytes, name: str) -> Any:
    """Return a decoded body; refuse what is no JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise unreadable(name, str(error)) from error


def unreadable(name: str, why: str) -> AnswerError:
    """Return the refusal of a body that can't be read."""
    message = f'parsing {name} body from "" failed, because {why}'
    return AnswerError(400, {"code": 400, "message": message})


def missing(path: str) -> AnswerError:
    """Return the refusal of a body that lacks a field."""
    return AnswerError(422, {"code": _REQUIRED, "message": f"{path} in body is required"})


def wrong_type(path: str, place: str, expected: str, given: str) -> AnswerError:
    """Return the refusal of a value of another type."""
    message = f'{path} in {place} must be of type {expected}: "{given}"'
    return AnswerError(422, {"code": _TYPE, "message": message})


def alerts_of(raw: bytes) -> list[ForeignAlert]:
    """Return the alerts of ``POST alerts``."""
    body = json_body(raw, "alerts")
    if not isinstance(body, list):
        raise unreadable("alerts", "it is no list of alerts")
    return [_alert(each, index) for index, each in enumerate(body)]


def moment_of(value: object, name: str) -> datetime | None:
    """Return a time; None where it is missing or Go's zero."""
    if value is None or value == "":
        return None
    try:
        return _moment(str(value))
    except ValueError as error:
        raise unreadable(name, f"parsing time {str(value)!r}: it is no RFC 3339") from error


def texts_of(value: object, name: str) -> dict[str, str]:
    """Return a map of texts."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
        raise unreadable(name, "labels and annotations are texts by name")
    return dict(value)


def _alert(each: object, index: int) -> ForeignAlert:
    if not isinstance(each, Mapping):
        raise unreadable("alerts", "an alert is an object")
    if each.get("labels") is None:
        raise missing(f"{index}.labels")
    url = each.get("generatorURL") or ""
    if not isinstance(url, str) or "\0" in url:
        raise unreadable("alerts", "generatorURL is a text")
    return ForeignAlert(
        labels=texts_of(each["labels"], "alerts"),
        annotations=texts_of(each.get("annotations"), "alerts"),
        starts_at=moment_of(each.get("startsAt"), "alerts"),
        ends_at=moment_of(each.get("endsAt"), "alerts"),
        generator_url=url,
    )


def _moment(text: str) -> datetime | None:
    main, dot, rest = text.partition(".")
    if dot:  # Python reads microseconds, Go writes up to nanoseconds
        digits = len(rest) - len(rest.lstrip("0123456789"))
        main += "." + rest[: min(digits, _MICROSECOND_DIGITS)] + rest[digits:]
    moment = datetime.fromisoformat(main)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return None if moment.year == _ZERO_YEAR else moment.astimezone(UTC)
