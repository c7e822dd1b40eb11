"""Means over stretches of time."""

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.testing.visualizers import (
    VisualizerSuite,
    make_series,
    make_table,
    make_visualizer_context,
)
from plugins.visualizers.heatmap.heatmap import HeatmapVisualizer


class TestConformance(VisualizerSuite):
    """Everything by default."""

    name = "heatmap"


def test_cells_hold_the_mean_of_their_stretch() -> None:
    context = make_visualizer_context("heatmap", {"columns": 2})
    heatmap = HeatmapVisualizer().visualize(make_series(2, 4), context).heatmap
    assert heatmap is not None
    assert heatmap.rows == ("job=job-0", "job=job-1")
    assert heatmap.values == ((0.0, 0.0), (0.5, 2.5))


def test_values_without_time_are_refused() -> None:
    frame = make_table()
    numbers = type(frame)(fields=frame.fields[1:2])
    with pytest.raises(PluginError, match="over time"):
        HeatmapVisualizer().visualize([numbers], make_visualizer_context("heatmap", {}))
