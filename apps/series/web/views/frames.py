"""Frames of any datasource as a chart, as tables, as log lines."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.contracts.types import JsonValue
from detectviz.queries.caps import plain_values
from detectviz.web.charts import Chart, ChartSeries

MOST_LINES, MOST_ROWS, MOST_CHARACTERS = 50, 500, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTable:
    """One frame's rows as text; ``count`` is how many there are, of which some are shown."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One line of a log."""

    at: str
    text: str


def frames_chart(frames: Sequence[Frame]) -> str:
    """Return the chart (JSON) of everything in the frames that has a time and a number."""
    lines = list(_lines(frames))[:MOST_LINES]
    times = sorted({at for _, points in lines for at in points})
    chart = Chart(
        times=[at / 1000 for at in times],
        series=[
            ChartSeries(label=label, values=[points.get(at) for at in times])
            for label, points in lines
        ],
        empty="Nothing here has a time and a number; look at the table.",
    )
    return json.dumps(json.loads(chart.response().content))


def frame_table(frame: Frame) -> FrameTable:
    """Return the first rows of a frame."""
    columns = [plain_values(_head(each)) for each in frame.fields]
    cells = [
        [cell_text(each, value) for value in column]
        for each, column in zip(frame.fields, columns, strict=True)
    ]
    return FrameTable(
        title=frame.name,
        columns=tuple(_title(each) for each in frame.fields),
        rows=list(zip(*cells, strict=True)),
        count=frame.rows,
    )


def frame_logs(frame: Frame) -> list[LogRow]:
    """Return the lines of a frame with a time and a text, none of any other."""
    at = next((each for each in frame.fields if each.type is FieldType.TIME), None)
    texts = [each for each in frame.fields if each.type is FieldType.STRING]
    body = next((each for each in texts if each.name == "body"), texts[0] if texts else None)
    if at is None or body is None:
        return []
    pairs = zip(plain_values(_head(at)), plain_values(_head(body)), strict=True)
    return [LogRow(at=cell_text(at, when), text=cell_text(body, text)) for when, text in pairs]


def cell_text(each: Field, value: object) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return ""
    if each.type is FieldType.TIME and isinstance(value, int | float):
        return _moment(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def _head(each: Field) -> Field:
    return Field(name=each.name, type=each.type, values=each.values[:MOST_ROWS])


def _lines(frames: Iterable[Frame]) -> Iterator[tuple[str, dict[float, float | None]]]:
    for frame in frames:
        at = next((each for each in frame.fields if each.type is FieldType.TIME), None)
        if at is None:
            continue
        times = [time if isinstance(time, int | float) else None for time in plain_values(at)]
        for each in frame.fields:
            if each.type is FieldType.NUMBER:
                label = " ".join(filter(None, (frame.ref_id, _title(each))))
                pairs = zip(times, plain_values(each), strict=True)
                yield label, {time: _drawn(value) for time, value in pairs if time is not None}


def _drawn(value: object) -> float | None:
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]  # a number, as just asked


def _title(each: Field) -> str:
    if not each.labels:
        return each.name
    labels = ", ".join(f"{name}={value}" for name, value in each.labels.items())
    return f"{each.name} {{{labels}}}"


def _moment(value: JsonValue) -> str:
    try:
        moment = datetime.fromtimestamp(float(str(value)) / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return str(value)
    return moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "")
