"""Bars and gauges."""

from collections.abc import Sequence

from detectviz.contracts.config import get_float, get_number, get_text
from detectviz.contracts.drawings import Bar, Drawing, Tone
from detectviz.contracts.frames import Frame
from detectviz.contracts.readings import pick, readings_of
from detectviz.contracts.types import JsonObject
from detectviz.contracts.visualizer import VisualizerContext

_MOST = 100


class BarVisualizer:
    """Compares one value of each series."""

    def visualize(self, frames: Sequence[Frame], context: VisualizerContext) -> Drawing:
        """Return a bar for each of the first series."""
        readings, config = list(readings_of(frames)), context.config
        how = get_text(config, "value", "last")
        bars = [(each, pick(each.values, how)) for each in readings[:_MOST]]
        return Drawing(
            text=f"{_MOST} of {len(readings)} series are shown." if len(readings) > _MOST else "",
            bars=tuple(
                Bar(
                    label=each.label,
                    value=value,
                    unit=each.unit,
                    tone=_tone(value, config),
                    least=get_float(config, "least"),
                    most=get_number(config, "most"),
                )
                for each, value in bars
            ),
        )


def _tone(value: float | None, config: JsonObject) -> Tone:
    warn, alarm = get_number(config, "warn_above"), get_number(config, "alarm_above")
    if value is None or (warn is None and alarm is None):
        return ""
    if alarm is not None and value > alarm:
        return "down"
    return "degraded" if warn is not None and value > warn else "up"
