"""The HTML part of a mail. Every value is escaped: labels come from what is watched.

Tables and inline styles, as mail programs want them; colours hold on light and dark, and programs
that understand ``prefers-color-scheme`` get dark surfaces.
"""

from collections.abc import Iterator
from html import escape

from detectviz.contracts.message import clean, one_line, text_of, title_of
from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.rendering import (
    RESOLVED_COLOUR,
    colour_of,
    left_out_count,
    severity_of_labels,
    shown_alerts,
    summary_of,
    web_url,
)
from detectviz.contracts.types import AlertStatus, Labels

_MOST_ALERTS = 50
_LONGEST_VALUE = 2_000
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_COLOURS = {"critical": "#b3261e", "warning": "#b26a00", "info": "#1f5fbf"}
_DARK = (
    "<style>:root{color-scheme:light dark;supported-color-schemes:light dark}"
    "@media (prefers-color-scheme:dark){.page{background:#14171c!important}"
    ".card{background:#1e232b!important;border-color:#333b47!important}"
    ".text{color:#e8eaed!important}.muted{color:#a9b1bd!important}"
    ".quiet{background:#2a313b!important;color:#e8eaed!important}"
    "a.link{color:#8ab4f8!important}}</style>"
)


def render_html(notification: Notification) -> str:
    """Return a whole HTML document without outside resources."""
    return "\n".join(part for part in _parts(notification) if part)


def _parts(notification: Notification) -> Iterator[str]:
    colour = colour_of(notification)
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>{escape(title_of(notification))}</title>{_DARK}</head>"
    yield f'<body class="page" style="margin:0;padding:16px;background:#f3f4f6;{_FONT}">'
    yield (
        '<table role="presentation" class="card" style="width:100%;max-width:640px;margin:0 auto;'
        'background:#ffffff;border:1px solid #d9dde3;border-collapse:collapse;font-size:14px">'
    )
    yield f'<tr><td style="height:6px;background:{colour};font-size:0">&nbsp;</td></tr>'
    yield '<tr><td style="padding:20px 24px 8px">'
    yield (
        '<h1 class="text" style="margin:0;font-size:19px;line-height:1.35;color:#1a1d21;'
        f'overflow-wrap:anywhere">{escape(title_of(notification))}</h1></td></tr>'
    )
    yield from _buttons(notification, colour)
    yield from _body(notification)
    yield from _foot(notification)
    yield "</table></body></html>"


def _body(notification: Notification) -> Iterator[str]:
    if notification.is_templated:
        yield '<tr><td class="text" style="padding:8px 24px 16px;color:#1a1d21;line-height:1.5">'
        lines = escape(text_of(notification)).split("\n")
        yield f"{'<br>'.join(lines)}</td></tr>"
        return
    for alert in shown_alerts(notification, max_alerts=_MOST_ALERTS):
        yield from _alert(alert)
    if left_out := left_out_count(notification, max_alerts=_MOST_ALERTS):
        yield (
            '<tr><td class="muted" style="padding:8px 24px;color:#5b6470">'
            f"{left_out} more alerts are not shown.</td></tr>"
        )


def _alert(alert: NotifiedAlert) -> Iterator[str]:
    is_over = alert.status is AlertStatus.RESOLVED
    colour = RESOLVED_COLOUR if is_over else _COLOURS[severity_of_labels(alert.labels)]
    yield '<tr><td style="padding:8px 24px">'
    yield f'<div style="border-left:4px solid {colour};padding:2px 0 2px 14px">'
    yield (
        '<div class="text" style="font-weight:600;color:#1a1d21;overflow-wrap:anywhere">'
        f"{escape(summary_of(alert))}</div>"
    )
    yield (
        '<div class="muted" style="color:#5b6470;font-size:13px;margin:2px 0 6px">'
        f"{escape(_when(alert))}</div>"
    )
    yield '<table role="presentation" style="border-collapse:collapse;font-size:13px">'
    yield from _rows(alert.labels)
    yield from _rows(alert.annotations)
    yield f"</table>{_link(alert.generator_url, 'Source')}</div></td></tr>"


def _when(alert: NotifiedAlert) -> str:
    since = f"{alert.starts_at:%Y-%m-%d %H:%M:%S}"
    if alert.status is AlertStatus.RESOLVED and alert.ends_at is not None:
        return f"Resolved, fired from {since} to {alert.ends_at:%Y-%m-%d %H:%M:%S %Z}"
    return f"{alert.status.value.capitalize()} since {since} {alert.starts_at:%Z}"


def _rows(labels: Labels) -> Iterator[str]:
    cell = "padding:2px 14px 2px 0;vertical-align:top;text-align:left;font-weight:normal"
    for name, value in sorted(labels.items()):
        shown = clean(value)[:_LONGEST_VALUE]
        yield (
            f'<tr><th class="muted" style="{cell};color:#5b6470">'
            f"{escape(one_line(name, max_characters=200))}</th>"
            f'<td class="text" style="{cell};color:#1a1d21;white-space:pre-wrap;'
            f'overflow-wrap:anywhere">{escape(shown)}</td></tr>'
        )


def _buttons(notification: Notification, colour: str) -> Iterator[str]:
    plain = "display:inline-block;padding:8px 14px;margin:4px 8px 4px 0;text-decoration:none"
    shown = [
        f'<a class="quiet" href="{escape(url)}" style="{plain};background:#e8ebef;color:#1a1d21;'
        f'border-radius:4px">{escape(action.title)}</a>'
        for action in notification.actions
        if (url := web_url(action.url))
    ]
    if url := web_url(notification.url):
        shown.insert(
            0,
            f'<a href="{escape(url)}" style="{plain};background:{colour};color:#ffffff;'
            'border-radius:4px">Open in Detectviz</a>',
        )
    if shown:
        yield f'<tr><td style="padding:4px 24px 8px">{"".join(shown)}</td></tr>'


def _foot(notification: Notification) -> Iterator[str]:
    yield '<tr><td class="muted" style="padding:12px 24px 18px;color:#5b6470;font-size:12px">'
    yield f"Sent to the contact point {escape(clean(notification.receiver))}. "
    yield _link(contact_point_url(notification), "Change who is told", is_inline=True)
    yield "</td></tr>"


def contact_point_url(notification: Notification) -> str:
    """Return the page where mails of this kind are stopped; empty without an own address."""
    base = web_url(notification.external_url).rstrip("/")
    name = notification.receiver
    is_plain = name.isascii() and name.replace("-", "").isalnum()
    return f"{base}/o/{notification.org}/contact-points/c/{name}" if base and is_plain else ""


def _link(url: str, text: str, *, is_inline: bool = False) -> str:
    known = web_url(clean(url))
    if not known:
        return ""
    link = f'<a class="link" href="{escape(known)}" style="color:#1f5fbf">{escape(text)}</a>'
    return link if is_inline else f'<p style="margin:6px 0">{link}</p>'
