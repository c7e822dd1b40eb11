"""Text can be read by weak eyes."""

from detectviz.contracts.theme import CONTRASTS, contrast_ratio
from detectviz.testing.themes import ThemeSuite
from plugins.themes.high_contrast.theme import HighContrast

_AAA = 7.0


class TestConformance(ThemeSuite):
    """All of it."""

    name = "high-contrast"


def test_text_of_tokens_reaches_aaa() -> None:
    palette = HighContrast().palette()
    for colours in (palette.light, palette.dark):
        texts = [pair for pair in CONTRASTS if pair[0].endswith(("ink", "muted"))]
        assert min(contrast_ratio(colours[ink], colours[on]) for ink, on, _ in texts) >= _AAA
