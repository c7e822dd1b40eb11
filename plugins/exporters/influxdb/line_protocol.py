"""Points as lines: ``measurement,tag=value value=1.5 1700000000000``.

Source: InfluxDB's reference of the line protocol.
"""

from math import isfinite
from typing import Final

from detectviz.contracts.records import MetricRecord

_NAME: Final = "__name__"
_REFUSED: Final = "\n\r\\"


class LineError(ValueError):
    """A sample InfluxDB cannot store; the message says why."""


def line_of(sample: MetricRecord) -> str:
    """Return the line of a sample, its time in milliseconds; raise LineError."""
    if not isfinite(sample.value):
        raise LineError(f"InfluxDB stores no {sample.value}.")
    name = sample.labels.get(_NAME, "")
    if not name:
        raise LineError("The sample has no name.")
    tags = "".join(
        f",{_escaped(key, ', =')}={_escaped(value, ', =')}"
        for key, value in sorted(sample.labels.items())
        if key != _NAME and value
    )
    return f"{_escaped(name, ', ')}{tags} value={sample.value!r} {sample.timestamp_ms}"


def _escaped(text: str, special: str) -> str:
    # The protocol has no way to write a line end or a backslash before a special character.
    for character in _REFUSED:
        text = text.replace(character, "_" if character == "\\" else " ")
    for character in special:
        text = text.replace(character, f"\\{character}")
    return text
