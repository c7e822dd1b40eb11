"""Style sheets of themes: the tokens of ``static/css/app.css`` with a palette's colours."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from detectviz.contracts.theme import Palette

_HASH_LETTERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeSheet:
    """A style sheet; ``digest`` is of its text and stands in its address."""

    palette: Palette
    text: str
    digest: str


def theme_sheet(palette: Palette) -> ThemeSheet:
    """Write the style sheet of a palette that has passed ``palette_problems``."""
    light, dark = _rules(palette.light), _rules(palette.dark)
    text = f':root,[data-bs-theme="light"]{{{light}}}[data-bs-theme="dark"]{{{dark}}}'
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_LETTERS]
    return ThemeSheet(palette=palette, text=text, digest=digest)


def _rules(colours: Mapping[str, str]) -> str:
    return ";".join(f"--dv-{token}:{colours[token]}" for token in sorted(colours))
