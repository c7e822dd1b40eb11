"""Durations as text: Prometheus' spelling, the only one users meet."""

import re
from functools import lru_cache

_MS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000}
_MS |= {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_EXACT_ONLY = ("y", "w")
_PATTERN = "".join(f"(?:([0-9]+){unit})?" for unit in _MS)
_LARGEST_MS = (2**63 - 1) // 1_000_000
_MOST_CHARACTERS = 100


class DurationError(ValueError):
    """The text is no duration; the message shows one that is."""


def parse_duration_ms(text: str) -> int:
    """Return the milliseconds that ``text`` means, such as 90000 for ``1m30s``.

    Units from large to small, each at most once: y (365 days), w, d, h, m, s, ms; a bare ``0`` is
    allowed. Raise DurationError otherwise. Semantics of Prometheus' ``model.ParseDuration``.
    """
    if text == "0":
        return 0
    match = re.fullmatch(_PATTERN, text) if 0 < len(text) <= _MOST_CHARACTERS else None
    if match is None:
        shown = text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
        raise DurationError(f"{shown!r} is not a duration; write it like 30s, 5m, 1h30m or 500ms.")
    parts = zip(match.groups(), _MS.values(), strict=True)
    total = sum(int(count) * unit_ms for count, unit_ms in parts if count is not None)
    if total > _LARGEST_MS:
        raise DurationError(f"{text!r} is too long; the longest duration is about 292y.")
    return total


def parse_duration_s(text: str) -> float:
    """Return the seconds that ``text`` means, such as 90.0 for ``1m30s``; see parse_duration_ms."""
    return parse_duration_ms(text) / 1000


@lru_cache(maxsize=1024)  # lists write the same few for each of their rows
def format_duration(seconds: float) -> str:
    """Return the shortest usual spelling of ``seconds``, rounded to milliseconds.

    Years and weeks appear only when nothing remains below them, so 90 days stay ``90d``; zero is
    ``0s``. Semantics of Prometheus' ``model.Duration.String``. Raise ValueError below zero.
    """
    if seconds < 0:
        raise ValueError("A duration is never negative.")
    remaining = round(seconds * 1000)
    if not remaining:
        return "0s"
    parts: list[str] = []
    for unit, unit_ms in _MS.items():
        if unit in _EXACT_ONLY and remaining % unit_ms:
            continue
        count, remaining = divmod(remaining, unit_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
