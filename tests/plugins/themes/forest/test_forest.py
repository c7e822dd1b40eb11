"""The forest can be read, too."""

from detectviz.testing.themes import ThemeSuite


class TestConformance(ThemeSuite):
    """All of it."""

    name = "forest"
