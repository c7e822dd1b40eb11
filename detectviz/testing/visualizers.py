"""The conformance suite of visualizers."""

import logging
from typing import cast

import pytest

from detectviz.contracts.drawings import Drawing, drawing_problems
from detectviz.contracts.errors import PluginError
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.contracts.visualizer import Visualizer, VisualizerContext
from detectviz.testing.plugins import built_in_plugins, checked_config

START_MS = 1_700_000_000_000


def make_series(count: int = 3, points: int = 60) -> list[Frame]:
    """Return ``count`` time series with gaps, NaN and infinities among their values."""
    times = [START_MS + 15_000 * index for index in range(points)]
    odd = {5: None, 6: float("nan"), 7: float("inf")}
    return [
        Frame(
            shape="time-series",
            fields=(
                Field(name="Time", type=FieldType.TIME, values=times),
                Field(
                    name="Value",
                    type=FieldType.NUMBER,
                    values=[odd.get(index, float(index * number)) for index in range(points)],
                    labels={"__name__": "up", "job": f"job-{number}"},
                    unit="s",
                ),
            ),
        )
        for number in range(count)
    ]


def make_table() -> Frame:
    """Return a table with every type of field and hostile text."""
    return Frame(
        fields=(
            Field(name="at", type=FieldType.TIME, values=[START_MS, None]),
            Field(name="n", type=FieldType.NUMBER, values=[1.5, None], unit="bytes"),
            Field(name="who", type=FieldType.STRING, values=["<script>alert(1)</script>", None]),
            Field(name="is_it", type=FieldType.BOOLEAN, values=[True, None]),
            Field(name="more", type=FieldType.OTHER, values=[{"a": [1]}, None]),
        )
    )


def make_visualizer_context(name: str, config: JsonObject) -> VisualizerContext:
    """Return the context the host would give the visualizer; the schema must agree."""
    return VisualizerContext(
        config=checked_config(PluginKind.VISUALIZER, name, config).config,
        logger=logging.getLogger(f"tests.visualizers.{name}"),
    )


class VisualizerSuite:
    """What every visualizer must do. Subclass it, set ``name`` and perhaps ``config``."""

    name = ""
    config: JsonObject = {}

    @pytest.fixture
    def visualizer(self) -> Visualizer:
        """Return the plugin, loaded as the host loads it."""
        return cast("Visualizer", built_in_plugins().load(PluginKind.VISUALIZER, self.name))

    def test_series_become_a_drawing_within_the_contract(self, visualizer: Visualizer) -> None:
        for count, points in ((1, 1), (3, 60), (200, 10)):
            drawing = self._drawn(visualizer, make_series(count, points))
            assert drawing_problems(drawing) == []
            assert drawing != Drawing()

    def test_no_frames_and_empty_ones_are_an_empty_drawing(self, visualizer: Visualizer) -> None:
        for frames in ([], [Frame(fields=())]):
            drawing = self._drawn(visualizer, frames)
            shown = (drawing.stats, drawing.bars, drawing.table, drawing.heatmap)
            assert not any(shown)

    def test_a_shape_it_cannot_show_is_refused_in_words(self, visualizer: Visualizer) -> None:
        try:
            drawing = self._drawn(visualizer, [make_table()])
        except PluginError as error:
            assert error.message  # noqa: PT017 - either is right
        else:
            assert drawing_problems(drawing) == []

    def test_the_same_frames_give_the_same_drawing(self, visualizer: Visualizer) -> None:
        assert self._drawn(visualizer, make_series()) == self._drawn(visualizer, make_series())

    def _drawn(self, visualizer: Visualizer, frames: list[Frame]) -> Drawing:
        return visualizer.visualize(frames, make_visualizer_context(self.name, self.config))
