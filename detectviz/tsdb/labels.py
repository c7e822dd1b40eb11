"""Label sets: their canonical form and what a store refuses."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from detectviz.tsdb.interface import METRIC_NAME, Int64Array
from detectviz.tsdb.policy import DEFAULT_POLICY, TenantPolicy

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


def label_refusal(key: LabelKey, policy: TenantPolicy = DEFAULT_POLICY) -> str | None:
    """Say why no series of a tenant may have these labels, or None when it may."""
    most = _least(policy.max_labels, MAX_LABELS)
    if len(key) > most:
        return f"label count {len(key)} exceeds the limit of {most}"
    name_bytes = _least(policy.max_label_name_bytes, MAX_NAME_BYTES)
    value_bytes = _least(policy.max_label_value_bytes, MAX_VALUE_BYTES)
    has_metric, size = False, 0
    for name, value in key:
        lengths = _pair_lengths(name, value)
        if isinstance(lengths, str):
            return lengths
        if lengths[0] > name_bytes:
            return f"label name {name[:32]!r}… is longer than {name_bytes} bytes"
        if lengths[1] > value_bytes:
            return f"value of label {name!r} is longer than {value_bytes} bytes"
        has_metric = has_metric or name == METRIC_NAME
        size += sum(lengths)
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


@lru_cache(maxsize=16_384)  # pairs come in many series
def _pair_lengths(name: str, value: str) -> tuple[int, int] | str:
    """Return the bytes of name and value, or why they can't be a label."""
    if not name:
        return "label name is empty"
    if name == TENANT_LABEL:
        return f"label {TENANT_LABEL} is reserved"
    try:
        return _byte_length(name), _byte_length(value)
    except UnicodeEncodeError:
        return f"label {name!r} is not valid UTF-8"


def _least(limit: int | None, most: int) -> int:
    return most if limit is None else min(limit, most)


def _byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
