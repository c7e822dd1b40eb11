"""The colours of the forest."""

from detectviz.contracts.theme import Palette

_LIGHT = {
    "canvas": "#f4f3ec", "surface": "#fdfcf7", "sunken": "#ebeae0",
    "line": "#dcdacb", "line-strong": "#bdbba6", "ink": "#1f2a22", "muted": "#556057",
    "accent": "#2b6e4f", "accent-soft": "#e0efe6", "accent-ink": "#1f5a3f",
    "up": "#2a9159", "up-soft": "#e0f2e7", "up-ink": "#14603a",
    "degraded": "#d98e12", "degraded-soft": "#fbefd5", "degraded-ink": "#7f4b00",
    "down": "#cf4437", "down-soft": "#fae5e1", "down-ink": "#a02519",
    "unknown": "#a9aea3", "unknown-soft": "#eae9e0", "unknown-ink": "#515a50",
    "series-1": "#2b6e4f", "series-2": "#b8722c", "series-3": "#4a78a8",
    "series-4": "#8c5a9e", "series-5": "#a8484f", "series-6": "#7d8a2e",
}  # fmt: skip
_DARK = {
    "canvas": "#0e1512", "surface": "#151e19", "sunken": "#101813",
    "line": "#25322a", "line-strong": "#3d4e44", "ink": "#dfe8e1", "muted": "#98a89d",
    "accent": "#2f7d5a", "accent-soft": "#173126", "accent-ink": "#8fd9b4",
    "up": "#3dbb7c", "up-soft": "#123322", "up-ink": "#7adfaa",
    "degraded": "#e0a53a", "degraded-soft": "#33280f", "degraded-ink": "#f0c675",
    "down": "#e8685c", "down-soft": "#3a1a17", "down-ink": "#ffa399",
    "unknown": "#5d6b62", "unknown-soft": "#1f2a24", "unknown-ink": "#a8b6ac",
    "series-1": "#6cc79b", "series-2": "#e0a56a", "series-3": "#82b0dd",
    "series-4": "#c49ad4", "series-5": "#e58a90", "series-6": "#b9c766",
}  # fmt: skip


class Forest:
    """Greens on paper."""

    def palette(self) -> Palette:
        """Return the colours."""
        return Palette(light=_LIGHT, dark=_DARK)
