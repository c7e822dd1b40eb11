"""The conformance suite of themes."""

from typing import cast

import pytest

from detectviz.contracts.theme import Theme, palette_problems
from detectviz.contracts.types import PluginKind
from detectviz.testing.plugins import built_in_plugins


class ThemeSuite:
    """What every theme must do. Subclass it and set ``name``."""

    name = ""

    @pytest.fixture
    def theme(self) -> Theme:
        """Return the plugin, loaded as the host loads it."""
        return cast("Theme", built_in_plugins().load(PluginKind.THEME, self.name))

    def test_every_token_has_a_colour_and_everything_can_be_read(self, theme: Theme) -> None:
        assert palette_problems(theme.palette()) == []

    def test_light_and_dark_are_different(self, theme: Theme) -> None:
        palette = theme.palette()
        assert palette.light["surface"] > palette.dark["surface"]

    def test_the_colours_are_always_the_same(self, theme: Theme) -> None:
        assert theme.palette() == theme.palette()
