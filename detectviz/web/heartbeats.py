"""The heartbeat bar: recent checks of a monitor as one small picture."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_STEP = 6
_HEIGHT = 22
_TALL = {"up": 14, "degraded": 18, "down": 22, "unknown": 10}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One check: its state, its time and a short remark."""

    state: str
    at: datetime | None = None
    note: str = ""


def heartbeat_svg(beats: Sequence[Beat], *, slots: int = 30, classes: str = "") -> SafeString:
    """Return the last ``slots`` beats as SVG, oldest left; empty places keep the width steady.

    Bars differ in height as well as colour, for those who can't tell red from green.
    """
    shown = beats[-slots:]
    empty = slots - len(shown)
    bars = format_html_join(
        "",
        '<rect class="is-{}" x="{}" y="{}" width="4" height="{}" rx="1.5"><title>{}</title></rect>',
        (
            (beat.state, (empty + index) * _STEP, _HEIGHT - tall, tall, _title(beat))
            for index, beat in enumerate(shown)
            for tall in (_TALL.get(beat.state, 10),)
        ),
    )
    blanks = format_html_join(
        "",
        '<rect class="is-none" x="{}" y="12" width="4" height="10" rx="1.5"></rect>',
        ((index * _STEP,) for index in range(empty)),
    )
    return format_html(
        '<svg class="beats {}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}{}</svg>',
        classes,
        slots * _STEP - 2,
        _HEIGHT,
        summary(shown),
        blanks,
        bars,
    )


def summary(beats: Sequence[Beat]) -> str:
    """Return in words what the bar shows."""
    if not beats:
        return "No checks yet"
    counts = Counter(beat.state for beat in beats)
    told = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    return f"Last {len(beats)} checks: {told}"


def _title(beat: Beat) -> str:
    at = f"{beat.at:%Y-%m-%d %H:%M:%S} UTC" if beat.at else ""
    return " · ".join(part for part in (beat.state, at, beat.note) if part)
