"""Alerts, groups and the server's status as Alertmanager's API v2 writes and reads them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from apps.notifications.services.alertmanager.listing import (
    ACTIVE,
    ListedAlert,
    ListedGroup,
    Status,
)
from apps.notifications.services.foreign_words import ForeignAlert
from detectviz import __version__
from detectviz.clock import utc_now
from detectviz.doors.alertmanager import AnswerError

SPOKEN_VERSION = "0.28.0"  # the Alertmanager whose API this is: clients choose by it what to ask
_UID_DIGITS = 20
_UUID_DIGITS = 32
_STARTED_AT = utc_now()
_MICROSECOND_DIGITS = 6
_REQUIRED, _TYPE = 602, 601  # the generated server's codes
_ZERO_YEAR = 1
_LONGEST_MOMENT = 64
_KINDS = {dict: "object", list: "list", str: "text", bool: "boolean", type(None): "null"}
_NEVER = "0001-01-01T00:00:00.000Z"
_ACTIVE = '{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}'


class WrongValueError(ValueError):
    """A value of a body is none of its kind; says which, and why, as ``.field: why``."""


def status_json(original: str) -> dict[str, Any]:
    """Return the server's status with its configuration."""
    return {
        "cluster": {"status": "disabled", "peers": []},
        "config": {"original": original},
        "uptime": moment_json(_STARTED_AT),
        "versionInfo": {
            "branch": "detectviz",
            "buildDate": "",
            "buildUser": "",
            "goVersion": "",
            "revision": __version__,
            "version": SPOKEN_VERSION,
        },
    }


def alerts_json(alerts: Iterable[ListedAlert]) -> bytes:
    """Return alerts as a JSON list; stored JSON goes through as it is."""
    return f"[{','.join([_alert_text(alert) for alert in alerts])}]".encode()


def groups_json(groups: Iterable[ListedGroup]) -> bytes:
    """Return groups as a JSON list."""
    return orjson.dumps([_group_json(group) for group in groups])


def _alert_text(alert: ListedAlert, muted_by: Sequence[str] = ()) -> str:
    """Return one alert as JSON; ``muted_by`` are times of its group's route.

    Put together as text: ten thousand dictionaries would take longer than all their columns.
    """
    is_active = not muted_by and alert.status is ACTIVE
    status = _ACTIVE if is_active else _dumped(_status_json(alert.status, muted_by))
    ends = _NEVER if alert.ends_text is None else _moment_text(alert.ends_text)
    return (
        f'{{"annotations":{alert.annotations_json},"endsAt":"{ends}",'
        f'"fingerprint":"{alert.fingerprint}",'
        f'"receivers":{_receivers_text(tuple(alert.receivers))},'
        f'"startsAt":"{_moment_text(alert.starts_text)}","status":{status},'
        f'"updatedAt":"{_moment_text(alert.updated_text)}",'
        f'"generatorURL":{_dumped(alert.generator_url)},"labels":{alert.labels_json}}}'
    )


@lru_cache(maxsize=1024)
def _receivers_text(names: tuple[str, ...]) -> str:
    return _dumped([{"name": name} for name in names])


def _moment_text(text: str) -> str:
    """Return a database's time (UTC, any number of decimals) as Alertmanager writes it."""
    decimals = text[20:26].partition("+")[0] if text[19:20] == "." else ""
    return f"{text[:10]}T{text[11:19]}.{decimals[:3]:0<3}Z"


def _dumped(value: object) -> str:
    return orjson.dumps(value).decode()


def moment_json(moment: datetime) -> str:
    """Return a time as Alertmanager writes it."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"


def uuid_of(uid: str) -> str:
    """Return the UUID by which Alertmanager's clients know our ``uid``."""
    return str(UUID(hex=uid.ljust(_UUID_DIGITS, "0")))


def uid_of(uuid: str) -> str:
    """Return our uid of a UUID; empty where it can't be one of ours. Raise ValueError for none."""
    digits = UUID(uuid).hex
    return digits[:_UID_DIGITS] if not digits[_UID_DIGITS:].strip("0") else ""


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
    alerts: list[ForeignAlert] = []
    for place, each in enumerate(body):
        try:
            alerts.append(_alert(each, place))
        except WrongValueError as error:
            raise unreadable("alerts", f"[{place}]{error}") from error
    return alerts


def moment_of(body: Mapping[str, Any], field: str) -> datetime | None:
    """Return a time of a body; None where it is missing or Go's zero. Raise WrongValueError."""
    value = body.get(field)
    if value is None or value == "":
        return None
    said = str(value)[:_LONGEST_MOMENT]
    try:
        return _moment(said)
    except ValueError as error:
        message = f".{field}: parsing time {said!r}: it is no RFC 3339 with a zone"
        raise WrongValueError(message) from error


def texts_of(body: Mapping[str, Any], field: str) -> dict[str, str]:
    """Return a map of texts of a body, empty where it is missing. Raise WrongValueError."""
    value = body.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongValueError(f".{field} must be an object of texts, not {_kind(value)}")
    for name, text in value.items():
        if not isinstance(text, str):
            raise WrongValueError(f".{field}: {name!r} must be a text, not {_kind(text)}")
    return value


def _alert(each: object, place: int) -> ForeignAlert:
    if not isinstance(each, dict):
        raise WrongValueError(f" must be an object, not {_kind(each)}")
    if each.get("labels") is None:
        raise missing(f"{place}.labels")
    url = each.get("generatorURL") or ""
    if not isinstance(url, str) or "\0" in url:
        raise WrongValueError(".generatorURL must be a text without NUL")
    return ForeignAlert(
        labels=texts_of(each, "labels"),
        annotations=texts_of(each, "annotations"),
        starts_at=moment_of(each, "startsAt"),
        ends_at=moment_of(each, "endsAt"),
        generator_url=url,
    )


def _kind(value: object) -> str:
    """Return what JSON calls a value's type."""
    return _KINDS.get(type(value), "number")


@lru_cache(maxsize=4096)  # an evaluation's alerts share their times
def _moment(text: str) -> datetime | None:
    main, dot, rest = text.partition(".")
    if dot:  # Python reads microseconds, Go writes up to nanoseconds
        digits = len(rest) - len(rest.lstrip("0123456789"))
        main += "." + rest[: min(digits, _MICROSECOND_DIGITS)] + rest[digits:]
    moment = datetime.fromisoformat(main)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return None if moment.year == _ZERO_YEAR else moment.astimezone(UTC)


def _status_json(status: Status, muted_by: Sequence[str]) -> dict[str, Any]:
    muted = [*status.muted_by, *muted_by]
    return {
        "inhibitedBy": status.inhibited_by,
        "mutedBy": muted,
        "silencedBy": [uuid_of(uid) for uid in status.silenced_by],
        "state": "suppressed" if muted or status.is_suppressed else "active",
    }


def _group_json(group: ListedGroup) -> dict[str, Any]:
    return {
        "alerts": [orjson.Fragment(_alert_text(alert, group.muted_by)) for alert in group.alerts],
        "labels": group.labels,
        "receiver": {"name": group.receiver},
        "routeLabels": {},
    }
