"""One value of each series, coloured by bounds."""

import pytest

from detectviz.testing.visualizers import VisualizerSuite, make_series, make_visualizer_context
from plugins.visualizers.stat.stat import StatVisualizer


class TestConformance(VisualizerSuite):
    """With both bounds."""

    name = "stat"
    config = {"warn_above": 10, "alarm_above": 100}


@pytest.mark.parametrize(
    ("how", "value"), [("last", 59.0), ("max", 59.0), ("min", 0.0), ("sum", 1752.0)]
)
def test_the_value_asked_for_stands_for_the_series(how: str, value: float) -> None:
    context = make_visualizer_context("stat", {"value": how})
    assert StatVisualizer().visualize(make_series(2), context).stats[1].value == value


def test_bounds_colour_values_above_them() -> None:
    context = make_visualizer_context("stat", {"warn_above": 50, "alarm_above": 100})
    stats = StatVisualizer().visualize(make_series(3), context).stats
    assert [each.tone for each in stats] == ["up", "degraded", "down"]
