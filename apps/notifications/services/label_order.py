"""The order in which Alertmanager lists alerts and groups."""

from collections.abc import Mapping
from functools import cmp_to_key
from typing import Any

_FIRST = ("job", "instance")


def _compared(left: Mapping[str, str], right: Mapping[str, str]) -> int:
    """Compare as ``model.LabelSet.Before``: fewer labels first, then name by name."""
    if len(left) != len(right):
        return -1 if len(left) < len(right) else 1
    for name in sorted(left.keys() | right.keys()):
        if name not in left:
            return -1
        if name not in right:
            return 1
        if left[name] != right[name]:
            return -1 if left[name] < right[name] else 1
    return 0


_label_set_key = cmp_to_key(_compared)


def label_set_key(labels: Mapping[str, str]) -> Any:
    """Return what groups are sorted by."""
    return _label_set_key(labels)


def alert_key(labels: Mapping[str, str]) -> Any:
    """Return what alerts are sorted by: their job and instance, then all labels."""
    first = tuple((name not in labels, labels.get(name, "")) for name in _FIRST)
    return (first, _label_set_key(labels))
