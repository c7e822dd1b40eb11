"""Themes: one verb, ``palette``. Colours for the tokens that every page is drawn with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

TOKENS: Final = frozenset(
    {
        "canvas", "surface", "sunken", "line", "line-strong", "ink", "muted",
        "accent", "accent-soft", "accent-ink",
        *(f"{state}{part}" for state in ("up", "degraded", "down", "unknown")
          for part in ("", "-soft", "-ink")),
        *(f"series-{number}" for number in range(1, 7)),
    }
)  # fmt: skip
_TEXT: Final = 4.5  # WCAG 2.2 AA, 1.4.3 text
_SHAPE: Final = 3.0  # WCAG 2.2 AA, 1.4.11 what must be told apart without being text
CONTRASTS: Final[tuple[tuple[str, str, float], ...]] = (
    *(
        (ink, ground, _TEXT)
        for ink in ("ink", "muted", "accent-ink")
        for ground in ("canvas", "surface", "sunken")
    ),
    ("accent-ink", "accent-soft", _TEXT),
    *(
        (f"{state}-ink", ground, _TEXT)
        for state in ("up", "degraded", "down", "unknown")
        for ground in ("surface", f"{state}-soft")
    ),
    ("#ffffff", "accent", _TEXT),  # words on buttons are white
    ("down", "surface", _SHAPE),
)
_DIGITS: Final = frozenset("0123456789abcdef")
_LINEAR_BELOW: Final = 0.04045
_LENGTH: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """A colour (``#rrggbb``, lower case) for each of TOKENS, on light and on dark ground."""

    light: Mapping[str, str]
    dark: Mapping[str, str]


class Theme(Protocol):
    """A theme plugin's capability class; constructed once per process, without arguments."""

    def palette(self) -> Palette:
        """Return the colours, always the same ones; the host refuses what cannot be read well."""


def contrast_ratio(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21, as WCAG 2.2 defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def palette_problems(palette: Palette) -> list[str]:
    """Return everything for which the host refuses a palette."""
    return [
        f"{name}: {problem}"
        for name, colours in (("light", palette.light), ("dark", palette.dark))
        for problem in _problems(colours)
    ]


def is_colour(text: object) -> bool:
    """Say whether ``text`` is a colour such as #1a2b3c and nothing else."""
    return (
        isinstance(text, str)
        and len(text) == _LENGTH
        and text[0] == "#"
        and _DIGITS.issuperset(text[1:])
    )


def _problems(colours: Mapping[str, str]) -> Iterator[str]:
    for token in sorted(TOKENS - colours.keys()):
        yield f"the token {token} has no colour."
    for token in sorted(colours.keys() - TOKENS):
        yield f"there is no token {token}."
    wrong = sorted(token for token, colour in colours.items() if not is_colour(colour))
    for token in wrong:
        yield f"write {token} as a colour such as #1a2b3c."
    if wrong or colours.keys() != TOKENS:
        return
    for ink, ground, least in CONTRASTS:
        ratio = contrast_ratio(colours.get(ink, ink), colours[ground])
        if ratio < least:
            yield f"{ink} on {ground} has a contrast of {ratio:.2f}; {least:g} is the least."


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return float(part / 12.92 if part <= _LINEAR_BELOW else ((part + 0.055) / 1.055) ** 2.4)
