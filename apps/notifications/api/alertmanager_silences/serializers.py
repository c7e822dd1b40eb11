"""Silences as Alertmanager's API v2 writes and reads them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.notifications.api.alertmanager.serializers import (
    WrongValueError,
    missing,
    moment_json,
    moment_of,
    texts_of,
    unreadable,
    uuid_of,
)
from apps.notifications.models import Silence
from apps.notifications.services.matchers import (
    LabelMatcher,
    MatcherError,
    matcher_of,
    parse_matcher,
)
from apps.notifications.services.silences import silence_state
from detectviz.clock import utc_now
from detectviz.doors.alertmanager import AnswerError

_OPERATORS = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}
_REQUIRED = ("matchers", "startsAt", "endsAt", "createdBy", "comment")


def silence_json(row: Silence, now: datetime) -> dict[str, Any]:
    """Return one silence."""
    matchers = [parse_matcher(text) for text in row.matcher_sets[0]]
    return {
        "id": uuid_of(row.uid),
        "status": {"state": silence_state(row, now).value},
        "updatedAt": moment_json(row.updated_at),
        "annotations": row.annotations,
        "comment": row.comment,
        "createdBy": row.created_by,
        "endsAt": moment_json(row.ends_at),
        "matchers": [
            {
                "isEqual": matcher.op in {"=", "=~"},
                "isRegex": "~" in matcher.op,
                "name": matcher.name,
                "value": matcher.value,
            }
            for matcher in matchers
        ],
        "startsAt": moment_json(row.starts_at),
    }


def silence_body(body: object) -> Mapping[str, Any]:
    """Return a decoded body that has what a silence needs; refuse any other."""
    if not isinstance(body, Mapping):
        raise unreadable("silence", "it is no silence")
    for name in _REQUIRED:
        if body.get(name) is None:
            raise missing(name)
    if not isinstance(body["matchers"], list):
        raise unreadable("silence", "matchers is a list")
    if not body["matchers"]:
        message = "matchers in body should have at least 1 items"
        raise AnswerError(422, {"code": 612, "message": message})
    return body


def silence_spec(body: Mapping[str, Any], instance: Silence | None) -> dict[str, Any]:
    """Return the resource's spec; refuse in Alertmanager's words what it refuses."""
    try:
        starts_at, ends_at = moment_of(body, "startsAt"), moment_of(body, "endsAt")
        annotations = texts_of(body, "annotations")
    except WrongValueError as error:
        raise unreadable("silence", str(error)) from error
    now = utc_now()
    if ends_at is None or (starts_at or now) >= ends_at:
        raise AnswerError(400, "Failed to create silence: start time must be before end time")
    if ends_at < now:
        raise AnswerError(400, "Failed to create silence: end time can't be in the past")
    matchers = [_matcher(each, index) for index, each in enumerate(body["matchers"])]
    if all(matcher.matches_empty for matcher in matchers):
        raise AnswerError(
            400, "invalid silence: at least one matcher must not match the empty string"
        )
    return {
        "title": instance.title if instance is not None else "",
        "matchers": [str(matcher) for matcher in matchers],
        "starts_at": (starts_at or now).isoformat(),
        "ends_at": ends_at.isoformat(),
        "created_by": str(body["createdBy"]),
        "comment": str(body["comment"]),
        "annotations": annotations,
    }


def _matcher(each: object, index: int) -> LabelMatcher:
    if not isinstance(each, Mapping):
        raise unreadable("silence", "a matcher is an object")
    for name in ("name", "value", "isRegex"):
        if each.get(name) is None:
            raise missing(f"matchers.{index}.{name}")
    is_equal = each.get("isEqual") is not False
    op = _OPERATORS[is_equal, bool(each["isRegex"])]
    try:
        return matcher_of(str(each["name"]), op, str(each["value"]))
    except MatcherError as error:
        raise AnswerError(
            400, f"invalid silence: invalid label matcher {index}: {error}"
        ) from error
