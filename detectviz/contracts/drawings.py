"""Drawings: what plugins want shown, as plain data. The host draws it, no plugin writes HTML.

Tools answer with them, visualizers make them of frames, and pages may put them into a template.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from detectviz.contracts.types import JsonScalar

Tone = Literal["", "up", "degraded", "down", "accent"]
"""A meaning, not a colour: the theme says how it looks. Words always stand beside it."""

MOST_ROWS = 1_000
MOST_CELLS = 5_000
MOST_POINTS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table; numbers stand on the right and are shown with their ``unit``."""

    title: str
    unit: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of as many cells as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[JsonScalar, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One value that matters; ``text`` stands in its place where it is no number."""

    label: str
    value: float | None = None
    unit: str = ""
    text: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar. With ``most`` (and ``least``) it is a gauge, else as long as its value among all."""

    label: str
    value: float | None
    unit: str = ""
    tone: Tone = ""
    least: float = 0.0
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmap:
    """A grid: ``values`` has a row for each of ``rows``, with a value for each of ``columns``."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart, as long as its times; None is a gap."""

    label: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A chart over time; ``times_ms`` are Unix milliseconds, ascending."""

    times_ms: Sequence[int]
    lines: tuple[Line, ...]
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What is shown below one title: whichever of the parts there are, in this order."""

    title: str = ""
    text: str = ""
    stats: tuple[Stat, ...] = ()
    bars: tuple[Bar, ...] = ()
    lines: Lines | None = None
    heatmap: Heatmap | None = None
    table: Table | None = None


def drawing_problems(drawing: Drawing) -> list[str]:
    """Return what breaks the contract: ragged tables and grids, and more than a page can hold."""
    found: list[str] = []
    table, heatmap, lines = drawing.table, drawing.heatmap, drawing.lines
    if table and any(len(row) != len(table.columns) for row in table.rows):
        found.append("A row of the table has not as many cells as there are columns.")
    if table and len(table.rows) > MOST_ROWS:
        found.append(f"The table has {len(table.rows)} rows; {MOST_ROWS} is the most.")
    if heatmap and [len(row) for row in heatmap.values] != [len(heatmap.columns)] * len(
        heatmap.rows
    ):
        found.append("The heatmap's values are no grid of its rows and columns.")
    if heatmap and len(heatmap.rows) * len(heatmap.columns) > MOST_CELLS:
        found.append(f"The heatmap has too many cells; {MOST_CELLS} is the most.")
    if lines and any(len(line.values) != len(lines.times_ms) for line in lines.lines):
        found.append("A line has not as many values as there are times.")
    if lines and len(lines.lines) * len(lines.times_ms) > MOST_POINTS:
        found.append(f"The chart has too many points; {MOST_POINTS} is the most.")
    if max(len(drawing.stats), len(drawing.bars)) > MOST_ROWS:
        found.append(f"There are too many stats or bars; {MOST_ROWS} is the most.")
    return found
