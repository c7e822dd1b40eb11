"""Functions that order an instant vector."""

import re
from functools import partial
from typing import TypeAlias

import numpy as np

from detectviz.promql.calls import FunctionCall, Implementation
from detectviz.promql.labels import Labels, label_key
from detectviz.promql.vectors import Value

_INEFFECTIVE = "sort is ineffective for range queries since results are always ordered by labels"
_CHUNK = re.compile(r"[0-9]+|[^0-9]+")  # noqa: TID251 - our own constant

_Chunk: TypeAlias = tuple[int, int, str]


def natural_key(text: str) -> tuple[_Chunk, ...]:
    """Return a key that orders ``a2`` before ``a10``; numbers come before text."""
    return tuple(
        (0, int(chunk), chunk) if chunk.isdigit() else (1, 0, chunk)
        for chunk in _CHUNK.findall(text)
    )


def _warned(call: FunctionCall) -> bool:
    is_range_query = call.bounds.step_ms > 0
    if is_range_query:
        call.annotations.warn(_INEFFECTIVE, call.node.span)
    return is_range_query


def _sort(call: FunctionCall, *, is_descending: bool) -> Value:
    vector = call.vector(0).floats()
    if _warned(call) or vector.steps != 1:
        return vector
    values = vector.values[:, 0]
    return vector.take(np.argsort(-values if is_descending else values, kind="stable"))


def _sort_by_label(call: FunctionCall, *, is_descending: bool) -> Value:
    vector = call.vector(0)
    if _warned(call) or vector.steps != 1:
        return vector
    names = [call.string(index) for index in range(1, len(call.arguments))]

    def key(row: int) -> tuple[object, ...]:
        labels: Labels = vector.labels[row]
        chosen = tuple(natural_key(labels.get(name, "")) for name in names)
        return (chosen, label_key(labels))

    return vector.take(sorted(range(len(vector)), key=key, reverse=is_descending))


ORDER_FUNCTIONS: dict[str, Implementation] = {
    "sort": partial(_sort, is_descending=False),
    "sort_by_label": partial(_sort_by_label, is_descending=False),
    "sort_by_label_desc": partial(_sort_by_label, is_descending=True),
    "sort_desc": partial(_sort, is_descending=True),
}
