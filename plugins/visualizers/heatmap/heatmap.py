"""The heatmap: a row for each series, a column for each stretch of time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import fmean

from detectviz.contracts.config import get_int
from detectviz.contracts.drawings import Drawing, Heatmap
from detectviz.contracts.errors import PluginError
from detectviz.contracts.frames import Frame
from detectviz.contracts.readings import Reading, readings_of
from detectviz.contracts.visualizer import VisualizerContext

_MOST = 50
_DAY_MS = 86_400_000


class HeatmapVisualizer:
    """Shows the mean of each series in each stretch of time."""

    def visualize(self, frames: Sequence[Frame], context: VisualizerContext) -> Drawing:
        """Return the grid; raise PluginError for frames without time."""
        readings = list(readings_of(frames))
        times = [at for each in readings for at in each.times_ms]
        if readings and not times:
            raise PluginError("A heatmap needs values over time.", permanent=True)
        if not readings:
            return Drawing()
        columns = get_int(context.config, "columns", 40)
        start, end = min(times), max(times)
        width = max(1.0, (end - start) / columns)
        edges = [start + index * width for index in range(columns)]
        shape = "%m-%d %H:%M" if end - start > _DAY_MS else "%H:%M:%S"
        shown, units = readings[:_MOST], {each.unit for each in readings}
        return Drawing(
            text=f"{_MOST} of {len(readings)} series are shown." if len(readings) > _MOST else "",
            heatmap=Heatmap(
                columns=tuple(
                    datetime.fromtimestamp(edge / 1000, UTC).strftime(shape) for edge in edges
                ),
                rows=tuple(each.label for each in shown),
                values=tuple(_means(each, start, width, columns) for each in shown),
                unit=units.pop() if len(units) == 1 else "",
            ),
        )


def _means(reading: Reading, start: int, width: float, columns: int) -> tuple[float | None, ...]:
    boxes: list[list[float]] = [[] for _ in range(columns)]
    for at, value in zip(reading.times_ms, reading.values, strict=False):
        if value is not None:
            boxes[min(int((at - start) / width), columns - 1)].append(value)
    return tuple(fmean(box) if box else None for box in boxes)
