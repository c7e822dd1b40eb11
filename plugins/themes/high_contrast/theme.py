"""The colours of high contrast: text reaches AAA (7) wherever it stands."""

from detectviz.contracts.theme import Palette

_LIGHT = {
    "canvas": "#ffffff", "surface": "#ffffff", "sunken": "#f2f2f2",
    "line": "#5c5c5c", "line-strong": "#000000", "ink": "#000000", "muted": "#333333",
    "accent": "#0033b8", "accent-soft": "#e0e8ff", "accent-ink": "#002a99",
    "up": "#00703c", "up-soft": "#e0f7ea", "up-ink": "#004d29",
    "degraded": "#a35200", "degraded-soft": "#fff0d6", "degraded-ink": "#6b3500",
    "down": "#c00000", "down-soft": "#ffe3e3", "down-ink": "#8a0000",
    "unknown": "#5c5c5c", "unknown-soft": "#ececec", "unknown-ink": "#333333",
    "series-1": "#0033b8", "series-2": "#00605c", "series-3": "#5a1fb0",
    "series-4": "#8f4700", "series-5": "#a3005c", "series-6": "#3d5c00",
}  # fmt: skip
_DARK = {
    "canvas": "#000000", "surface": "#000000", "sunken": "#141414",
    "line": "#a6a6a6", "line-strong": "#ffffff", "ink": "#ffffff", "muted": "#d9d9d9",
    "accent": "#2f55d4", "accent-soft": "#101c4a", "accent-ink": "#b8c9ff",
    "up": "#3ddc84", "up-soft": "#00331a", "up-ink": "#8df0b8",
    "degraded": "#ffb52e", "degraded-soft": "#3d2600", "degraded-ink": "#ffd48a",
    "down": "#ff6b66", "down-soft": "#4d0000", "down-ink": "#ffc2bf",
    "unknown": "#a6a6a6", "unknown-soft": "#262626", "unknown-ink": "#d9d9d9",
    "series-1": "#8fb0ff", "series-2": "#4fe3dc", "series-3": "#c9adff",
    "series-4": "#ffb52e", "series-5": "#ff9ecb", "series-6": "#c8e66b",
}  # fmt: skip


class HighContrast:
    """Black, white, and colours that are never alone."""

    def palette(self) -> Palette:
        """Return the colours."""
        return Palette(light=_LIGHT, dark=_DARK)
