"""Label sets: their canonical form and what a store refuses."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from detectviz.tsdb.interface import METRIC_NAME, Int64Array

LabelKey: TypeAlias = tuple[tuple[str, str], ...]

TENANT_LABEL = "detectviz_tenant"  # how shared backends keep tenants apart; nobody may send it
MAX_LABELS = 64
MAX_NAME_BYTES = 128
MAX_VALUE_BYTES = 2048
MAX_SERIES_BYTES = 32 << 10  # VictoriaMetrics drops series somewhere above 60,000
MAX_TIMESTAMP_MS = 1 << 52
OUT_OF_BOUNDS = "out of bounds"


def label_key(labels: Mapping[str, str]) -> LabelKey:
    """Return the pairs sorted by name; an empty value is the same as no label."""
    return tuple(sorted(pair for pair in labels.items() if pair[1]))


def label_refusal(key: LabelKey) -> str | None:
    """Say why no series may have these labels, or None when it may."""
    if len(key) > MAX_LABELS:
        return f"label count {len(key)} exceeds the limit of {MAX_LABELS}"
    has_metric, size = False, 0
    for name, value in key:
        reason = _pair_refusal(name, value)
        if reason:
            return reason
        has_metric = has_metric or name == METRIC_NAME
        size += _byte_length(name) + _byte_length(value)
    if not has_metric:
        return "metric name is missing"
    if size > MAX_SERIES_BYTES:
        return f"labels take {size} bytes, more than {MAX_SERIES_BYTES}"
    return None


def out_of_bounds(timestamps_ms: Int64Array) -> list[int]:
    """Return the places of times that no sample may have."""
    low, high = -MAX_TIMESTAMP_MS, MAX_TIMESTAMP_MS
    return np.flatnonzero((timestamps_ms <= low) | (timestamps_ms >= high)).tolist()


def is_utf8(text: str) -> bool:
    """Say whether text can be written as UTF-8, which lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pair_refusal(name: str, value: str) -> str | None:
    if not name:
        return "label name is empty"
    if name == TENANT_LABEL:
        return f"label {TENANT_LABEL} is reserved"
    if not is_utf8(name) or not is_utf8(value):
        return f"label {name!r} is not valid UTF-8"
    if _byte_length(name) > MAX_NAME_BYTES:
        return f"label name {name[:32]!r}… is longer than {MAX_NAME_BYTES} bytes"
    if _byte_length(value) > MAX_VALUE_BYTES:
        return f"value of label {name!r} is longer than {MAX_VALUE_BYTES} bytes"
    return None


def _byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
