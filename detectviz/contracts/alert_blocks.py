"""The alerts of a notification written in a service's own markup, within its limit.

Every text of an alert passes through ``Markup.escape``: labels come from what is watched.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from detectviz.contracts.message import one_line, text_of
from detectviz.contracts.notifier import Notification, NotificationAction, NotifiedAlert
from detectviz.contracts.rendering import (
    escape_html,
    escape_markdown,
    labels_apart,
    severity_of_labels,
    shown_alerts,
    summary_of,
    web_url,
    without_mentions,
)
from detectviz.contracts.types import AlertStatus, Labels

CUT_NOTE: Final = "… (cut)"
LONGEST_TEXT: Final = 100_000  # of what services are asked to take, before it is made to fit
_RESOLVED: Final = "✅"
_SIGNS: Final = {"critical": "🔴", "warning": "🟠", "info": "🔵"}
_LONGEST_DESCRIPTION: Final = 1_000
_LONGEST_LABELS: Final = 1_000
_MOST_ALERTS: Final = 50
_LINKS: Final = (
    ("runbook_url", "Runbook"),
    ("dashboard_url", "Dashboard"),
    ("panel_url", "Panel"),
)


def utf8_size(text: str) -> int:
    """Return the bytes ``text`` takes in UTF-8."""
    return len(text.encode("utf-8", "replace"))


def utf16_size(text: str) -> int:
    """Return the UTF-16 code units of ``text``."""
    return len(text.encode("utf-16-le", "replace")) // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Markup:
    """How a service writes: ``bold`` and the first of ``link`` take escaped text."""

    escape: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    measure: Callable[[str], int] = len
    line_end: str = "\n"


def plain_markup(measure: Callable[[str], int] = len) -> Markup:
    """Return plain text: links are written out, mentions of everybody taken apart."""
    return Markup(
        escape=without_mentions,
        bold=lambda text: text,
        link=lambda text, url: f"{text}: {url}",
        measure=measure,
    )


def markdown_markup(
    *,
    escape: Callable[[str], str] = escape_markdown,
    measure: Callable[[str], int] = len,
    line_end: str = "\n",
) -> Markup:
    """Return Markdown with ``**bold**`` and ``[text](url)``."""
    return Markup(
        escape=escape,
        bold=lambda text: f"**{text}**",
        link=lambda text, url: f"[{text}]({_closed(url)})",
        measure=measure,
        line_end=line_end,
    )


def html_markup(*, measure: Callable[[str], int] = len, line_end: str = "\n") -> Markup:
    """Return HTML with ``<b>`` and ``<a>`` only."""
    return Markup(
        escape=escape_html,
        bold=lambda text: f"<b>{text}</b>",
        link=lambda text, url: f'<a href="{escape_html(url)}">{text}</a>',
        measure=measure,
        line_end=line_end,
    )


def sign_of(alert: NotifiedAlert) -> str:
    """Return a coloured sign for status and severity."""
    if alert.status is AlertStatus.RESOLVED:
        return _RESOLVED
    return _SIGNS[severity_of_labels(alert.labels)]


def buttons_of(notification: Notification) -> tuple[NotificationAction, ...]:
    """Return the actions with usable addresses; one that opens the alerts is always among them."""
    actions = tuple(each for each in notification.actions if web_url(each.url))
    if any(each.name == "open" for each in actions) or not web_url(notification.url):
        return actions
    opening = NotificationAction(name="open", title="Open", url=notification.url)
    return (*actions, opening)


def button_value(action: NotificationAction, notification: Notification) -> str:
    """Return what an interactive button sends to the org's ChatCallback, empty for a mere link."""
    return "" if action.name == "open" else f"{action.name}:{notification.delivery_id}"


def body_of(
    notification: Notification, markup: Markup, *, max_size: int, with_buttons: bool = False
) -> str:
    """Return the body of a message: the operator's text where there is one, else the alerts.

    Takes as many whole alerts as fit in ``max_size`` (as ``markup`` measures) and says how many
    are left out. ``with_buttons`` ends it with a line of links to ``buttons_of``.
    """
    footer = _buttons(notification, markup) if with_buttons else ""
    room = max_size - (markup.measure(footer) + 2 if footer else 0)
    body = (
        fitted(whole_text(notification), markup, max_size=room)
        if notification.is_templated
        else _alerts(notification, markup, room)
    )
    return f"{body}{markup.line_end * 2}{footer}" if footer and body else body or footer


def fitted(text: str, markup: Markup, *, max_size: int) -> str:
    """Return ``text`` escaped and within ``max_size``, ending in a note where it was cut."""
    whole = _lines(markup.escape(text), markup)
    if markup.measure(whole) <= max_size:
        return whole
    room = max_size - markup.measure(CUT_NOTE)
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        fits = markup.measure(_lines(markup.escape(text[:middle]), markup)) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return _lines(markup.escape(text[:low].rstrip()), markup) + CUT_NOTE


def whole_text(notification: Notification) -> str:
    """Return the text the host rendered, long as it is, to be made to fit."""
    return text_of(notification, max_characters=LONGEST_TEXT)


def written(text: str, *, max_size: int, measure: Callable[[str], int] = len) -> str:
    """Return a text in the service's own markup as it is, ending in a note where it was cut."""
    as_it_is = Markup(
        escape=lambda each: each, bold=lambda each: each, link=lambda each, _: each, measure=measure
    )
    return fitted(text, as_it_is, max_size=max_size)


def alert_heading(alert: NotifiedAlert) -> str:
    """Return the plain heading of an alert: sign and summary."""
    return f"{sign_of(alert)} {summary_of(alert)}"


def alert_details(alert: NotifiedAlert, common: Labels, markup: Markup) -> Iterator[str]:
    """Yield the lines below an alert's heading: description, labels, since when and links."""
    description = one_line(
        alert.annotations.get("description", "") or alert.annotations.get("message", ""),
        max_characters=_LONGEST_DESCRIPTION,
    )
    if description and description != summary_of(alert):
        yield markup.escape(description)
    labels = ", ".join(f"{name}={value}" for name, value in labels_apart(alert, common).items())
    if labels:
        yield markup.escape(one_line(labels, max_characters=_LONGEST_LABELS))
    yield markup.escape(_when(alert)) + "".join(
        f" · {markup.link(markup.escape(title), url)}" for title, url in alert_links(alert)
    )


def alert_links(alert: NotifiedAlert) -> Iterator[tuple[str, str]]:
    """Yield (title, address) of what an alert links to."""
    named = [("Source", alert.generator_url)]
    named += [(title, alert.annotations.get(name, "")) for name, title in _LINKS]
    yield from ((title, url) for title, url in named if web_url(url))


def common_of(notification: Notification) -> Labels:
    """Return the labels to write once: those in common where there are several alerts."""
    return notification.common_labels if len(notification.alerts) > 1 else {}


def _alerts(notification: Notification, markup: Markup, max_size: int) -> str:
    alerts = shown_alerts(notification, max_alerts=_MOST_ALERTS)
    total = len(notification.alerts) + notification.truncated_alerts
    common = common_of(notification)
    blocks = [_block(alert, common, markup) for alert in alerts]
    kept = _kept(blocks, total, markup, max_size)
    if not kept and alerts:
        return fitted(alert_heading(alerts[0]), markup, max_size=max_size)
    parts = [*kept, *([_left_out(total - len(kept), markup)] if total > len(kept) else [])]
    return (markup.line_end * 2).join(parts)


def _kept(blocks: Sequence[str], total: int, markup: Markup, max_size: int) -> tuple[str, ...]:
    between = markup.measure(markup.line_end * 2)
    note = markup.measure(_left_out(total, markup)) + between
    used = 0
    for index, block in enumerate(blocks):
        used += markup.measure(block) + (between if index else 0)
        is_last = index + 1 == total
        if used + (0 if is_last else note) > max_size:
            return tuple(blocks[:index])
    return tuple(blocks)


def _block(alert: NotifiedAlert, common: Labels, markup: Markup) -> str:
    heading = f"{sign_of(alert)} {markup.bold(markup.escape(summary_of(alert)))}"
    return markup.line_end.join((heading, *alert_details(alert, common, markup)))


def _left_out(count: int, markup: Markup) -> str:
    return markup.escape(f"… {count} more alerts are not shown")


def _when(alert: NotifiedAlert) -> str:
    since = f"since {alert.starts_at:%Y-%m-%d %H:%M:%S %Z}"
    if alert.ends_at is not None:
        return f"{since} until {alert.ends_at:%H:%M:%S}"
    return since if alert.value is None else f"{since}, value {alert.value:g}"


def _buttons(notification: Notification, markup: Markup) -> str:
    links = (markup.link(markup.escape(each.title), each.url) for each in buttons_of(notification))
    return " · ".join(links)


def _lines(text: str, markup: Markup) -> str:
    return text if markup.line_end == "\n" else text.replace("\n", markup.line_end)


def _closed(url: str) -> str:
    # A parenthesis in an address would end a Markdown link early.
    return url.replace("(", "%28").replace(")", "%29")
