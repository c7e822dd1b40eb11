"""Bars beside each other, and gauges between bounds."""

from detectviz.testing.visualizers import VisualizerSuite, make_series, make_visualizer_context
from plugins.visualizers.bar.bar import BarVisualizer


class TestConformance(VisualizerSuite):
    """As gauges."""

    name = "bar"
    config = {"most": 200, "warn_above": 50}


def test_a_bar_carries_its_value_and_the_bounds_of_its_gauge() -> None:
    context = make_visualizer_context("bar", {"most": 200, "least": 10})
    bar = BarVisualizer().visualize(make_series(2), context).bars[1]
    assert (bar.value, bar.least, bar.most, bar.unit) == (59.0, 10.0, 200.0, "s")


def test_bounds_colour_bars_above_them() -> None:
    context = make_visualizer_context("bar", {"warn_above": 50, "alarm_above": 100})
    bars = BarVisualizer().visualize(make_series(3), context).bars
    assert [each.tone for each in bars] == ["up", "degraded", "down"]
