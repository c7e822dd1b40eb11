"""Adaptive Cards for Microsoft Teams.

Free text stands in RichTextBlocks and fact titles of our own: those read no Markdown.
"""

import json
from collections.abc import Iterator
from typing import Final

from detectviz.contracts.alert_blocks import (
    alert_heading,
    alert_links,
    buttons_of,
    common_of,
    fitted,
    plain_markup,
    whole_text,
    written,
)
from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.message import cut_characters, one_line, title_of
from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.rendering import (
    labels_apart,
    left_out_count,
    severity_of,
    shown_alerts,
    summary_of,
    web_url,
)
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, Labels

_LONGEST_BYTES: Final = 24_000  # the limit is 28 kB for the message, envelope included
_LONGEST_TITLE: Final = 500
_LONGEST_TEXT: Final = 8_000
_MOST_ALERTS: Final = 20
_MOST_BUTTONS: Final = 6
_COLOURS: Final = {"critical": "attention", "warning": "warning", "info": "accent"}
_PLAIN: Final = plain_markup()


def build_message(notification: Notification, config: JsonObject) -> dict[str, JsonValue]:
    """Return what a workflow of Teams takes: a message with one card, within its size."""
    for count in (_MOST_ALERTS, 10, 5, 2, 1, 0):
        message = _message(notification, config, max_alerts=count)
        if len(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")) < _LONGEST_BYTES:
            break
    return message


def _message(
    notification: Notification, config: JsonObject, *, max_alerts: int
) -> dict[str, JsonValue]:
    title = get_text(config, "title") or title_of(notification)
    card: dict[str, JsonValue] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": cut_characters(get_text(config, "summary") or title, _LONGEST_TITLE),
        "body": [
            _title(notification, title),
            *_body(notification, config, max_alerts=max_alerts),
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": each.title, "url": each.url}
            for each in buttons_of(notification)[:_MOST_BUTTONS]
        ],
    }
    if get_bool(config, "full_width"):
        card["msteams"] = {"width": "Full"}
    attachment: JsonObject = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _title(notification: Notification, title: str) -> JsonObject:
    is_over = notification.status is AlertStatus.RESOLVED
    colour = "good" if is_over else _COLOURS[severity_of(notification)]
    return _runs(
        {
            "text": cut_characters(title, _LONGEST_TITLE),
            "weight": "bolder",
            "size": "large",
            "color": colour,
        }
    )


def _body(
    notification: Notification, config: JsonObject, *, max_alerts: int
) -> Iterator[JsonObject]:
    if own := get_text(config, "text"):
        text = written(own, max_size=_LONGEST_TEXT)
        yield {"type": "TextBlock", "text": text, "wrap": True}
        return
    if notification.is_templated:
        yield _runs(
            {
                "text": fitted(
                    whole_text(notification),
                    _PLAIN,
                    max_size=_LONGEST_TEXT,
                )
            }
        )
        return
    common = common_of(notification)
    for alert in shown_alerts(notification, max_alerts=max_alerts):
        yield _alert(alert, common)
    if left_out := left_out_count(notification, max_alerts=max_alerts):
        yield _runs({"text": f"… {left_out} more alerts are not shown", "isSubtle": True})


def _alert(alert: NotifiedAlert, common: Labels) -> JsonObject:
    description = one_line(alert.annotations.get("description", ""), max_characters=1_000)
    labels = "\n".join(f"{name} = {value}" for name, value in labels_apart(alert, common).items())
    items = [_runs({"text": alert_heading(alert), "weight": "bolder"})]
    if description and description != summary_of(alert):
        items.append(_runs({"text": description}))
    if labels:
        items.append(_runs({"text": cut_characters(labels, 1_000), "fontType": "monospace"}))
    since: dict[str, JsonValue] = {
        "text": f"since {alert.starts_at:%Y-%m-%d %H:%M:%S %Z}",
        "isSubtle": True,
    }
    items.append(_runs(since, *_links(alert)))
    return {"type": "Container", "separator": True, "items": items}


def _links(alert: NotifiedAlert) -> Iterator[dict[str, JsonValue]]:
    for title, url in alert_links(alert):
        yield {
            "text": f"  {title}",
            "color": "accent",
            "selectAction": {"type": "Action.OpenUrl", "url": web_url(url)},
        }


def _runs(*runs: dict[str, JsonValue]) -> JsonObject:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}
