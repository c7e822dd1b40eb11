"""Events of PagerDuty's Events API v2: one incident per alert group."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from detectviz.contracts.alert_blocks import LONGEST_TEXT, buttons_of, whole_text
from detectviz.contracts.config import get_objects, get_text, get_text_map
from detectviz.contracts.message import cut_characters, details_of, one_line, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.posting import incident_key
from detectviz.contracts.rendering import cut_bytes, severity_of, web_url
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

_LONGEST_SUMMARY: Final = 1_024
_LONGEST_DETAIL: Final = 60_000
_LARGEST_EVENT: Final = 500_000  # the limit is 512 kB
_SEVERITIES: Final = frozenset({"critical", "error", "warning", "info"})


def build_event(
    notification: Notification, config: JsonObject, *, routing_key: str
) -> dict[str, JsonValue]:
    """Return the event: trigger while anything fires (also again, to update), else resolve."""
    event: dict[str, JsonValue] = {
        "routing_key": routing_key,
        "event_action": action_of(notification),
        "dedup_key": incident_key(notification),
    }
    if notification.status is AlertStatus.RESOLVED:
        return event
    event |= {
        "client": cut_characters(get_text(config, "client"), 300) or "Detectviz",
        "client_url": web_url(get_text(config, "client_url")) or web_url(notification.url),
        "links": [*_links(notification, config)],
        "images": [*_images(config)],
        "payload": _payload(notification, config),
    }
    return _within_size({name: value for name, value in event.items() if value})


def action_of(notification: Notification) -> str:
    """Return trigger or resolve."""
    return "resolve" if notification.status is AlertStatus.RESOLVED else "trigger"


def _payload(notification: Notification, config: JsonObject) -> JsonObject:
    summary = get_text(config, "description") or title_of(
        notification, max_characters=_LONGEST_SUMMARY
    )
    severity = get_text(config, "severity").strip().lower() or severity_of(notification)
    first = min(notification.alerts, key=lambda alert: alert.starts_at)
    payload = {
        "summary": one_line(summary, max_characters=_LONGEST_SUMMARY),
        "source": cut_characters(get_text(config, "source") or _source(notification), 1_000),
        "severity": severity if severity in _SEVERITIES else "error",
        "timestamp": first.starts_at.isoformat(timespec="milliseconds"),
        **{name: get_text(config, name) for name in ("component", "group", "class")},
    }
    given = {name: value for name, value in payload.items() if value}
    return {**given, "custom_details": _details(notification, config)}


def _source(notification: Notification) -> str:
    for name in ("instance", "host", "monitor", "alertname"):
        for labels in (notification.common_labels, notification.alerts[0].labels):
            if labels.get(name):
                return labels[name]
    return "Detectviz"


def _details(notification: Notification, config: JsonObject) -> JsonObject:
    details = {
        "firing": cut_bytes(details_of(notification, max_characters=LONGEST_TEXT), _LONGEST_DETAIL),
        "num_firing": str(len(notification.firing) + notification.truncated_alerts),
        "num_resolved": str(len(notification.resolved)),
        **{f"label_{name}": value for name, value in notification.common_labels.items()},
    }
    if notification.is_templated:
        details["text"] = cut_bytes(whole_text(notification), _LONGEST_DETAIL)
    return {**details, **get_text_map(config, "details")}


def _links(notification: Notification, config: JsonObject) -> Iterator[JsonObject]:
    for action in buttons_of(notification):
        yield {"href": action.url, "text": action.title}
    for each in get_objects(config, "links"):
        if href := web_url(get_text(each, "href")):
            yield {"href": href, "text": get_text(each, "text") or href}


def _images(config: JsonObject) -> Iterator[JsonObject]:
    for each in get_objects(config, "images"):
        image: Mapping[str, str] = {
            "src": web_url(get_text(each, "src")),
            "href": web_url(get_text(each, "href")),
            "alt": get_text(each, "alt"),
        }
        if image["src"]:
            yield {name: value for name, value in image.items() if value}


def _within_size(event: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return ``event``; where it would be too large, a sentence instead of its details."""
    if len(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")) <= _LARGEST_EVENT:
        return event
    payload = event["payload"]
    kept = dict(payload) if isinstance(payload, dict) else {}
    kept["custom_details"] = {"error": "The details are left out: the event would be too large."}
    return {**event, "payload": kept}
