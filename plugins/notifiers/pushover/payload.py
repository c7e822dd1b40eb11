"""Messages of Pushover, sent as a form."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.alert_blocks import body_of, fitted, html_markup, plain_markup
from detectviz.contracts.config import get_bool, get_duration_s, get_text
from detectviz.contracts.message import cut_characters, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.posting import incident_key
from detectviz.contracts.rendering import severity_of, web_url
from detectviz.contracts.types import AlertStatus, JsonObject

EMERGENCY: Final = 2
_LONGEST_TITLE: Final = 250
_LONGEST_MESSAGE: Final = 1_024
_LONGEST_URL: Final = 512
_LONGEST_URL_TITLE: Final = 100
_SHORTEST_RETRY_S: Final = 30.0
_LONGEST_EXPIRE_S: Final = 10_800.0
_LOWEST: Final = -2
_PRIORITIES: Final = {"critical": EMERGENCY, "warning": 1, "info": 0}


def build_fields(notification: Notification, config: JsonObject) -> list[tuple[str, str]]:
    """Return the form's fields, without user and token."""
    own = get_text(config, "message")
    title = get_text(config, "title") or title_of(notification)
    priority = priority_of(notification, config)
    url = web_url(get_text(config, "url")) or web_url(notification.url)
    fields = {
        "title": cut_characters(title, _LONGEST_TITLE),
        "message": fitted(own, plain_markup(), max_size=_LONGEST_MESSAGE)
        if own
        else body_of(notification, html_markup(), max_size=_LONGEST_MESSAGE, with_buttons=True),
        "url": url if len(url) <= _LONGEST_URL else "",
        "url_title": cut_characters(get_text(config, "url_title"), _LONGEST_URL_TITLE),
        "priority": str(priority),
        "device": get_text(config, "device"),
        "sound": get_text(config, "sound"),
        "html": "1" if not own or get_bool(config, "html") else "",
        "monospace": "1" if own and get_bool(config, "monospace") else "",
        "timestamp": str(int(min(each.starts_at for each in notification.alerts).timestamp())),
    }
    fields |= dict(_times(config, priority, incident_key(notification)))
    return [(name, value) for name, value in fields.items() if value]


def priority_of(notification: Notification, config: JsonObject) -> int:
    """Return -2 to 2: as configured, else by severity."""
    wanted = get_text(config, "priority").strip()
    if wanted.removeprefix("-").isdigit() and _LOWEST <= int(wanted) <= EMERGENCY:
        return int(wanted)
    if notification.status is AlertStatus.RESOLVED:
        return 0
    return _PRIORITIES[severity_of(notification)]


def _times(config: JsonObject, priority: int, tag: str) -> Iterator[tuple[str, str]]:
    if priority == EMERGENCY:
        retry = max(get_duration_s(config, "retry") or 60.0, _SHORTEST_RETRY_S)
        expire = min(get_duration_s(config, "expire") or 3_600.0, _LONGEST_EXPIRE_S)
        yield "retry", str(int(retry))
        yield "expire", str(int(expire))
        yield "tags", tag
    elif lifetime := get_duration_s(config, "ttl"):
        yield "ttl", str(int(lifetime))
