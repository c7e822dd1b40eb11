"""Pieces of messages that several notifiers need: colours, escaping, lengths, alert lines.

Pure. What alerts carry comes from outside: escape it for the markup it goes into, and take apart
what a service would read as calling everybody.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final
from urllib.parse import urlsplit

from detectviz.contracts.message import clean, one_line
from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.types import AlertStatus, Labels

Severity = str

RESOLVED_COLOUR: Final = "#1b6e3c"
_COLOURS: Final = {"critical": "#b3261e", "warning": "#b26a00", "info": "#1f5fbf"}
_WORDS: Final = {
    **dict.fromkeys(("critical", "crit", "page", "error", "fatal", "emergency", "p1"), "critical"),
    **dict.fromkeys(("warning", "warn", "major", "minor", "p2", "p3"), "warning"),
    **dict.fromkeys(("info", "notice", "information", "low", "none", "p4", "p5"), "info"),
}
_RANKS: Final = ("info", "warning", "critical")
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>])")  # noqa: TID251 - our own constant
_MENTION: Final = re.compile(  # noqa: TID251 - our own constant pattern
    r"@(?=everyone|here|channel|all|room)|<(?=[!@#])", re.IGNORECASE
)
_ZERO_WIDTH_SPACE: Final = "\u200b"
_ELLIPSIS: Final = "…"
_SUMMARIES: Final = ("summary", "description", "message")


# --- severity
def severity_of_labels(labels: Labels) -> Severity:
    """Return critical, warning or info for the label ``severity``; without one, critical."""
    return _WORDS.get(labels.get("severity", "").strip().lower(), "critical")


def severity_of(notification: Notification) -> Severity:
    """Return the worst severity among the firing alerts, or among all once they are resolved."""
    alerts = notification.firing or notification.alerts
    found = {severity_of_labels(alert.labels) for alert in alerts}
    return max(found, key=_RANKS.index, default="critical")


def colour_of(notification: Notification) -> str:
    """Return ``#rrggbb``: green once resolved, else by severity."""
    if notification.status is AlertStatus.RESOLVED:
        return RESOLVED_COLOUR
    return _COLOURS[severity_of(notification)]


def colour_number_of(notification: Notification) -> int:
    """Return the same colour as the number services such as Discord want."""
    return int(colour_of(notification).removeprefix("#"), 16)


# --- escaping
def escape_slack(text: str) -> str:
    """Return ``text`` for Slack's mrkdwn: ``& < >`` as entities, so that nobody is mentioned."""
    cleaned = clean(text)
    return cleaned.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_html(text: str) -> str:
    """Return ``text`` for HTML, quotes included."""
    return escape(clean(text), quote=True)


def escape_markdown(text: str) -> str:
    """Return ``text`` with every mark of Markdown taken literally; no mention calls anybody."""
    return _MARKDOWN.sub(r"\\\1", without_mentions(clean(text)))


def without_mentions(text: str) -> str:
    """Return ``text`` with what chats take as calling everybody taken apart, invisibly."""
    return _MENTION.sub(lambda match: f"{match[0]}{_ZERO_WIDTH_SPACE}", text)


def web_url(url: str) -> str:
    """Return ``url`` if it is an http(s) address without control characters, else nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_plain = url.isprintable() and " " not in url
    return url if parts.scheme in {"http", "https"} and parts.netloc and is_plain else ""


# --- lengths, beside message.cut_characters
def cut_bytes(text: str, max_bytes: int) -> str:
    """Return at most so many bytes of UTF-8, no character halved, an ellipsis where cut."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= max_bytes:
        return encoded.decode()
    room = max(max_bytes - len(_ELLIPSIS.encode()), 0)
    kept = encoded[:room].decode("utf-8", "ignore")
    return kept + _ELLIPSIS if max_bytes >= len(_ELLIPSIS.encode()) else kept


# --- alerts
def summary_of(alert: NotifiedAlert) -> str:
    """Return one line that says what is wrong: the summary, else the description, else the name."""
    for name in _SUMMARIES:
        if text := one_line(alert.annotations.get(name, ""), max_characters=300):
            return text
    return one_line(alert.labels.get("alertname", "alert"), max_characters=300)


def labels_apart(alert: NotifiedAlert, common: Labels) -> dict[str, str]:
    """Return the labels that tell this alert from the others of its notification."""
    return {
        name: value
        for name, value in sorted(alert.labels.items())
        if name not in common and name != "alertname"
    }


def alert_line(alert: NotifiedAlert, common: Labels) -> str:
    """Return one line such as ``firing: home is down (monitor=home)``."""
    apart = ", ".join(f"{name}={value}" for name, value in labels_apart(alert, common).items())
    tail = f" ({apart})" if apart else ""
    return one_line(f"{alert.status.value}: {summary_of(alert)}{tail}", max_characters=500)


def alert_lines(notification: Notification, *, max_alerts: int = 10) -> Iterator[str]:
    """Yield a line per alert, firing first, then one that counts those left out."""
    shown: Sequence[NotifiedAlert] = shown_alerts(notification, max_alerts=max_alerts)
    common = notification.common_labels if len(notification.alerts) > 1 else {}
    hidden = notification.group_labels if len(notification.alerts) == 1 else common
    for alert in shown:
        yield alert_line(alert, hidden)
    if left_out := left_out_count(notification, max_alerts=max_alerts):
        yield f"and {left_out} more"


def shown_alerts(notification: Notification, *, max_alerts: int) -> tuple[NotifiedAlert, ...]:
    """Return the first alerts to show, firing before resolved."""
    return (*notification.firing, *notification.resolved)[:max_alerts]


def left_out_count(notification: Notification, *, max_alerts: int) -> int:
    """Return how many alerts such a message does not show."""
    beyond = max(len(notification.alerts) - max_alerts, 0)
    return beyond + notification.truncated_alerts


def short_text(notification: Notification, *, max_alerts: int = 10) -> str:
    """Return the default of ``Notification.text``: a line per alert, then where to look."""
    lines = [*alert_lines(notification, max_alerts=max_alerts)]
    if url := web_url(notification.url):
        lines += ["", url]
    return "\n".join(lines)
