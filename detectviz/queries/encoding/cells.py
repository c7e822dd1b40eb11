"""The values of a column as JSON can hold them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from detectviz.contracts.frames import Field, FieldType

_NAMES = {math.inf: "+Inf", -math.inf: "-Inf"}


def json_bytes(value: object) -> bytes:
    """Return JSON; what it does not know becomes text."""
    return orjson.dumps(
        value, default=_default, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    )


def values_json(each: Field, start: int = 0, end: int | None = None) -> bytes:
    """Return the values from ``start`` to ``end``; NaN and infinities are texts, as Prometheus'."""
    values = each.values[start:end]
    if each.type is FieldType.NUMBER:
        return json_bytes(_numbers(values))
    return json_bytes(values if isinstance(values, np.ndarray) else list(values))


def _numbers(values: Sequence[Any]) -> object:
    if isinstance(values, np.ndarray):
        if values.dtype.kind != "f" or bool(np.isfinite(values).all()):
            return np.ascontiguousarray(values)
        values = values.tolist()
    return [_number(value) for value in values]


def _number(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return _NAMES.get(value, "NaN")
    return value


def _default(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(value)
    return str(value)
