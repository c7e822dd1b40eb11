"""Alerts of Opsgenie's Alert API: one per alert group, known by its alias."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.alert_blocks import (
    LONGEST_TEXT,
    buttons_of,
    fitted,
    plain_markup,
    whole_text,
)
from detectviz.contracts.config import get_objects, get_text, get_text_map
from detectviz.contracts.message import cut_characters, details_of, one_line, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.rendering import severity_of, web_url
from detectviz.contracts.types import JsonObject, JsonValue

_LONGEST_MESSAGE: Final = 130
_LONGEST_DESCRIPTION: Final = 15_000
_LONGEST_NOTE: Final = 25_000
_LONGEST_DETAILS: Final = 8_000
_LONGEST_TAG: Final = 50
_MOST_TAGS: Final = 20
_PRIORITIES: Final = {"critical": "P1", "warning": "P3", "info": "P5"}
_PLAIN: Final = plain_markup()


def build_alert(notification: Notification, config: JsonObject, *, alias: str) -> JsonObject:
    """Return the body of Create Alert; an alert that is open with this alias is counted up."""
    wanted = get_text(config, "priority").strip().upper()
    alert: dict[str, JsonValue] = {
        "message": message_of(notification, config),
        "alias": alias,
        "description": description_of(notification, config),
        "details": _details(notification, config),
        "source": source_of(notification, config),
        "responders": [*_responders(config)],
        "tags": [cut_characters(tag, _LONGEST_TAG) for tag in _listed(config, "tags")][:_MOST_TAGS],
        "actions": [*_listed(config, "actions")],
        "entity": cut_characters(get_text(config, "entity"), 512),
        "note": cut_characters(get_text(config, "note"), _LONGEST_NOTE),
        "priority": wanted
        if wanted in {"P1", "P2", "P3", "P4", "P5"}
        else _PRIORITIES[severity_of(notification)],
    }
    return {name: value for name, value in alert.items() if value}


def message_of(notification: Notification, config: JsonObject) -> str:
    """Return the title, within Opsgenie's 130 characters."""
    own = get_text(config, "message")
    return one_line(own or title_of(notification), max_characters=_LONGEST_MESSAGE)


def description_of(notification: Notification, config: JsonObject) -> str:
    """Return the description, within Opsgenie's 15,000 characters."""
    text = get_text(config, "description") or (
        whole_text(notification)
        if notification.is_templated
        else details_of(notification, max_characters=LONGEST_TEXT)
    )
    links = "\n".join(f"{each.title}: {each.url}" for each in buttons_of(notification))
    room = _LONGEST_DESCRIPTION - len(links) - 2
    return f"{fitted(text, _PLAIN, max_size=room)}\n\n{links}"


def source_of(notification: Notification, config: JsonObject) -> str:
    """Return where the alert comes from."""
    return cut_characters(get_text(config, "source") or web_url(notification.url), 100)


def _details(notification: Notification, config: JsonObject) -> JsonObject:
    details: dict[str, JsonValue] = {}
    room = _LONGEST_DETAILS
    for name, value in {
        **notification.common_labels,
        **get_text_map(config, "details"),
    }.items():
        room -= len(name) + len(value)
        if room < 0:
            break
        details[name] = value
    return details


def _responders(config: JsonObject) -> Iterator[JsonObject]:
    for each in get_objects(config, "responders"):
        kind, name = get_text(each, "type").strip().lower(), get_text(each, "name").strip()
        if kind == "teams":
            yield from ({"type": "team", "name": part.strip()} for part in name.split(",") if part)
            continue
        named = {"id": get_text(each, "id"), "name": name, "username": get_text(each, "username")}
        if any(named.values()):
            yield {"type": kind, **{key: value for key, value in named.items() if value}}


def _listed(config: JsonObject, name: str) -> Iterator[str]:
    yield from (part.strip() for part in get_text(config, name).split(",") if part.strip())
