"""The HTML part of a mail. Every value is escaped: labels come from what is watched."""

from collections.abc import Iterator
from html import escape
from urllib.parse import urlsplit

from detectviz.contracts.message import clean, one_line, title_of
from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.types import AlertStatus, Labels

_COLOURS = {AlertStatus.FIRING: "#b3261e", AlertStatus.RESOLVED: "#1b6e3c"}
_CELL = "padding:2px 12px 2px 0;vertical-align:top;text-align:left"
_MOST_ALERTS = 50
_LONGEST_VALUE = 2_000


def render_html(notification: Notification) -> str:
    """Return a whole HTML document with inline styles and no outside resources."""
    shown = (*notification.firing, *notification.resolved)[:_MOST_ALERTS]
    left_out = len(notification.alerts) - len(shown) + notification.truncated_alerts
    parts = [
        '<!doctype html><html><head><meta charset="utf-8"></head>',
        '<body style="font-family:sans-serif;font-size:14px;color:#1a1a1a">',
        f'<h1 style="font-size:18px;color:{_COLOURS[notification.status]}">',
        f"{escape(title_of(notification))}</h1>",
        *(part for alert in shown for part in _alert(alert)),
        f"<p>{left_out} more alerts are not shown.</p>" if left_out else "",
        _link(notification.url, "Open in Detectviz"),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _alert(alert: NotifiedAlert) -> Iterator[str]:
    border = f"border-left:4px solid {_COLOURS[alert.status]}"
    yield f'<div style="{border};padding:4px 12px;margin:8px 0">'
    yield f"<strong>{alert.status.value.capitalize()}</strong>"
    yield f" since {alert.starts_at:%Y-%m-%d %H:%M:%S} UTC"
    yield '<table style="border-collapse:collapse;font-size:13px">'
    yield from _rows(alert.labels)
    yield from _rows(alert.annotations)
    yield "</table>"
    yield _link(alert.generator_url, "Source")
    yield "</div>"


def _rows(labels: Labels) -> Iterator[str]:
    for name, value in sorted(labels.items()):
        shown = clean(value)[:_LONGEST_VALUE]
        yield (
            f'<tr><th style="{_CELL}">{escape(one_line(name, max_characters=200))}</th>'
            f'<td style="{_CELL};white-space:pre-wrap">{escape(shown)}</td></tr>'
        )


def _link(url: str, text: str) -> str:
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in {"http", "https"}:
        return ""
    return f'<p><a href="{escape(clean(url))}">{escape(text)}</a></p>'
