"""How the SQL of InfluxDB 3 (DataFusion) writes points in time."""

import re
from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.sql.dialect import Dialect, whole_seconds
from detectviz.contracts.types import JsonValue

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")  # noqa: TID251 - our own constant


def _group(column: str, step_ms: int) -> str:
    return f"date_bin(INTERVAL '{whole_seconds(step_ms)} seconds', {column})"


def _epoch_group(column: str, step_ms: int) -> str:
    step_s = whole_seconds(step_ms)
    return f"({column} / {step_s}) * {step_s}"


DIALECT: Final = Dialect(
    timestamp=lambda time_ms: f"to_timestamp_millis({time_ms})",
    epoch=lambda column: f"date_part('epoch', {column})",
    group=_group,
    epoch_group=_epoch_group,
    reading_words=("SELECT", "WITH", "SHOW", "EXPLAIN", "DESCRIBE", "VALUES"),
)


def read_moment(value: JsonValue) -> object:
    """Return a text that is a point in time as one (UTC unless it says), all else as it is."""
    if not isinstance(value, str):
        return value
    found = _MOMENT.fullmatch(value)
    if found is None:
        return value
    fraction = found[1] or ""
    # Nine digits of a second are more than Python reads.
    text = value[:19] + f"{fraction[:7]:0<7}" * bool(fraction) + (found[2] or "")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
