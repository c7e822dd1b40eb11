"""Drawings as templates show them: text of numbers, and where shapes stand."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from detectviz.contracts.drawings import Bar, Drawing, Heatmap, Lines, Stat
from detectviz.contracts.types import JsonScalar
from detectviz.web.templatetags.web import UNKNOWN, duration, percent

_KIBI = 1024
_SUFFIXES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_CELL = 10
_LEAST_SHADE, _SHADES = 0.12, 0.88
_CHART_UNITS = {"s", "bytes", "ratio"}


def number_text(value: float | None, unit: str = "") -> str:
    """Return a number with its unit, as people read it."""
    if value is None:
        return UNKNOWN
    if unit == "s":
        return duration(value)
    if unit == "ratio":
        return percent(value)
    if unit == "bytes":
        return _bytes(value)
    text = f"{value:.6g}"
    return f"{text} {'%' if unit == 'percent' else unit}".strip()


def cell_text(value: JsonScalar, unit: str = "") -> str:
    """Return what stands in a cell of a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number_text(value, unit) if isinstance(value, (int, float)) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a heatmap."""

    x: int
    y: int
    shade: str
    said: str


@dataclass(frozen=True, slots=True)
class DrawingView:
    """What ``components/drawing.html`` shows."""

    drawing: Drawing

    @property
    def stats(self) -> list[dict[str, Any]]:
        """The tiles."""
        return [_stat(each) for each in self.drawing.stats]

    @property
    def bars(self) -> list[dict[str, Any]]:
        """The bars; ``width`` is of 100."""
        highest = max((each.value or 0.0 for each in self.drawing.bars), default=0.0)
        return [_bar(each, highest) for each in self.drawing.bars]

    @property
    def rows(self) -> list[list[tuple[str, bool]]]:
        """The table's cells as text, with whether they are numbers."""
        table = self.drawing.table
        if table is None:
            return []
        return [
            [
                (cell_text(value, column.unit), column.is_number)
                for value, column in zip(row, table.columns, strict=True)
            ]
            for row in table.rows
        ]

    @property
    def chart(self) -> dict[str, Any] | None:
        """The lines as ``static/js/chart.js`` reads them."""
        return _chart(self.drawing.lines) if self.drawing.lines else None

    @property
    def chart_json(self) -> str:
        """The same as the text of an attribute."""
        return json.dumps(self.chart)

    @property
    def cells(self) -> list[Cell]:
        """The heatmap's cells."""
        return [*_cells(self.drawing.heatmap)] if self.drawing.heatmap else []

    @property
    def grid(self) -> tuple[int, int]:
        """The heatmap's width and height."""
        heatmap = self.drawing.heatmap
        return (len(heatmap.columns) * _CELL, len(heatmap.rows) * _CELL) if heatmap else (0, 0)


def _stat(stat: Stat) -> dict[str, Any]:
    tone = f"is-{stat.tone}" if stat.tone else ""
    return {
        "label": stat.label,
        "text": stat.text or number_text(stat.value, stat.unit),
        "tone": tone,
    }


def _bar(bar: Bar, highest: float) -> dict[str, Any]:
    most = highest if bar.most is None else bar.most
    least = 0.0 if bar.most is None else bar.least
    part = ((bar.value or 0.0) - least) / (most - least) if most > least else 0.0
    return {
        "label": bar.label,
        "text": number_text(bar.value, bar.unit),
        "tone": f"is-{bar.tone}" if bar.tone else "",
        "width": f"{100 * min(1.0, max(0.0, part)):.2f}",
        "is_gauge": bar.most is not None,
    }


def _chart(lines: Lines) -> dict[str, Any]:
    return {
        "times": [at / 1000 for at in lines.times_ms],
        "series": [
            {"label": each.label, "values": list(each.values), "state": ""} for each in lines.lines
        ],
        "unit": lines.unit if lines.unit in _CHART_UNITS else "",
    }


def _cells(heatmap: Heatmap) -> Iterator[Cell]:
    known = [value for row in heatmap.values for value in row if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    for y, (name, row) in enumerate(zip(heatmap.rows, heatmap.values, strict=True)):
        for x, (at, value) in enumerate(zip(heatmap.columns, row, strict=True)):
            if value is not None:
                part = (value - low) / (high - low) if high > low else 1.0
                yield Cell(
                    x=x * _CELL,
                    y=y * _CELL,
                    shade=f"{_LEAST_SHADE + _SHADES * part:.3f}",
                    said=f"{name}, {at}: {number_text(value, heatmap.unit)}",
                )


def _bytes(value: float) -> str:
    for suffix in _SUFFIXES[:-1]:
        if abs(value) < _KIBI:
            return f"{value:.4g} {suffix}"
        value /= _KIBI
    return f"{value:.4g} {_SUFFIXES[-1]}"
