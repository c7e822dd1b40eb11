"""Large numbers."""

from collections.abc import Sequence

from detectviz.contracts.config import get_number, get_text
from detectviz.contracts.drawings import Drawing, Stat, Tone
from detectviz.contracts.frames import Frame
from detectviz.contracts.readings import pick, readings_of
from detectviz.contracts.types import JsonObject
from detectviz.contracts.visualizer import VisualizerContext

_MOST = 48


class StatVisualizer:
    """Shows one value of each series."""

    def visualize(self, frames: Sequence[Frame], context: VisualizerContext) -> Drawing:
        """Return a stat for each of the first series."""
        readings = list(readings_of(frames))
        how = get_text(context.config, "value", "last")
        stats = [(each, pick(each.values, how)) for each in readings[:_MOST]]
        return Drawing(
            text=f"{_MOST} of {len(readings)} series are shown." if len(readings) > _MOST else "",
            stats=tuple(
                Stat(
                    label=each.label,
                    value=value,
                    unit=each.unit,
                    text="no value" if value is None else "",
                    tone=_tone(value, context.config),
                )
                for each, value in stats
            ),
        )


def _tone(value: float | None, config: JsonObject) -> Tone:
    warn, alarm = get_number(config, "warn_above"), get_number(config, "alarm_above")
    if value is None or (warn is None and alarm is None):
        return ""
    if alarm is not None and value > alarm:
        return "down"
    return "degraded" if warn is not None and value > warn else "up"
