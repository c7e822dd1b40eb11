"""Frames: the one shape of every answer of every datasource.

The model is that of Grafana's data frames: a table of typed columns, each with its own labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from detectviz.contracts.types import JsonObject, JsonValue, Labels


class FieldType(StrEnum):
    """What the values of a field are; None is always allowed among them.

    ``time`` is Unix milliseconds as int, ``number`` int or float (NaN and infinities allowed),
    ``other`` any JSON value.
    """

    TIME = "time"
    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    OTHER = "other"


FrameShape = Literal["time-series", "numeric", "table", "logs"]
"""``time-series``: a time field, then number fields with their labels; ``numeric``: one row of
number fields with their labels; ``logs``: a time field and a string field ``body``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column. ``unit`` is a name such as ``bytes``, ``s``, ``percent``; empty if unknown.

    ``values`` may be a numpy array where the type is time or number.
    """

    name: str
    type: FieldType
    values: Sequence[JsonValue]
    labels: Labels = field(default_factory=dict)
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something the reader of a frame should know."""

    severity: Literal["info", "warning", "error"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One table; all fields have the same length.

    ``executed_query`` is what was really asked, variables and macros filled in, without secrets.
    ``ref_id`` is set by the host.
    """

    fields: tuple[Field, ...]
    shape: FrameShape = "table"
    name: str = ""
    ref_id: str = ""
    notices: tuple[Notice, ...] = ()
    executed_query: str = ""
    meta: JsonObject = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.fields[0].values) if self.fields else 0
