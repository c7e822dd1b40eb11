"""Template tags of the operator pages."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from detectviz.web.heartbeats import Beat, heartbeat_svg
from detectviz.web.states import look_of

register = template.Library()
UNKNOWN = "-"
_MILLI, _MICRO = 1e-3, 1e-6
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3600, 60


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """Draw a symbol of the sprite; decoration only, words stand beside it."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        classes,
        static("vendor/tabler-icons.svg"),
        name,
    )


@register.simple_tag
def state_pill(state: str, label: str = "") -> SafeString:
    """Show a state as icon, word and colour."""
    look = look_of(str(state))
    return format_html(
        '<span class="pill {}">{}{}</span>', look.tone, icon(look.icon), label or look.label
    )


@register.simple_tag
def heartbeat_bar(beats: Sequence[Beat], slots: int = 30, classes: str = "") -> SafeString:
    """Draw the heartbeat bar."""
    return heartbeat_svg(beats, slots=slots, classes=classes)


@register.filter
def ago(at: datetime | None) -> str:
    """Show the distance to a time; the browser keeps it current and shows the local time."""
    if at is None:
        return "never"
    return format_html(
        '<time datetime="{}" data-relative>{}</time>', at.isoformat(), naturaltime(at)
    )


@register.filter
def duration(seconds: float | None) -> str:
    """Show seconds with three digits and the unit that fits."""
    if seconds is None:
        return UNKNOWN
    size = abs(seconds)
    for least, scale, unit in (
        (2 * _DAY_S, _DAY_S, "d"),
        (2 * _HOUR_S, _HOUR_S, "h"),
        (2 * _MINUTE_S, _MINUTE_S, "min"),
        (1, 1, "s"),
        (_MILLI, _MILLI, "ms"),
    ):
        if size >= least:
            return f"{_digits(seconds / scale)} {unit}"
    return f"{_digits(seconds / _MICRO)} µs" if seconds else "0 s"


@register.filter
def percent(ratio: float | None) -> str:
    """Show a ratio as a percentage; never rounds up to 100."""
    if ratio is None:
        return UNKNOWN
    shown = ratio * 100
    text = f"{shown:.2f}".rstrip("0").rstrip(".")
    return "99.99 %" if text == "100" and ratio < 1 else f"{text} %"


@register.filter
def pretty_json(value: Any) -> str:
    """Show data as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"  # noqa: PLR2004 - no exponents


@register.simple_tag
def state_tone(state: str) -> str:
    """Return the colour class of a state."""
    return look_of(str(state)).tone


@register.simple_tag
def state_icon(state: str) -> SafeString:
    """Draw the large icon of a state."""
    return icon(look_of(str(state)).icon, "icon-lg")


@register.filter
def milliseconds(value: float | None) -> str:
    """Show milliseconds as a duration."""
    return duration(None if value is None else value / 1000)
