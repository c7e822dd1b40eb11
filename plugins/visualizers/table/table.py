"""The table."""

from collections.abc import Sequence

from detectviz.contracts.config import get_int
from detectviz.contracts.drawings import Column, Drawing, Table
from detectviz.contracts.frames import Frame
from detectviz.contracts.readings import pick, readings_of
from detectviz.contracts.types import JsonScalar
from detectviz.contracts.visualizer import VisualizerContext
from plugins.visualizers.table.cells import columns_of, rows_of


class TableVisualizer:
    """Shows tables as they are, and series as one row with their latest value each."""

    def visualize(self, frames: Sequence[Frame], context: VisualizerContext) -> Drawing:
        """Return one table."""
        most = get_int(context.config, "rows", 500)
        tables = [frame for frame in frames if frame.shape in {"table", "logs"} and frame.fields]
        if tables:
            table = Table(columns=columns_of(tables[0]), rows=rows_of(tables[0], most))
            more = f"The first of {len(tables)} tables is shown." if len(tables) > 1 else ""
            return Drawing(table=table, text=more)
        return _series_table(frames, most)


def _series_table(frames: Sequence[Frame], most: int) -> Drawing:
    readings = list(readings_of(frames))
    if not readings:
        return Drawing()
    rows: list[tuple[JsonScalar, ...]] = [
        (each.label, pick(each.values, "last")) for each in readings[:most]
    ]
    units = {each.unit for each in readings}
    value = Column(title="Value", unit=units.pop() if len(units) == 1 else "", is_number=True)
    more = f"{most} of {len(readings)} series are shown." if len(readings) > most else ""
    return Drawing(
        table=Table(columns=(Column(title="Series"), value), rows=tuple(rows)), text=more
    )
