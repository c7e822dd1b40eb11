"""Label sets: keys to compare them by, and how Prometheus prints them."""

import re
from collections.abc import Collection, Mapping
from typing import TypeAlias

from detectviz.promql.quoting import quote
from detectviz.tsdb.interface import METRIC_NAME

Labels: TypeAlias = Mapping[str, str]
LabelKey: TypeAlias = tuple[tuple[str, str], ...]

# What says what a metric is; Prometheus drops these together.
METADATA = frozenset({METRIC_NAME, "__type__", "__unit__"})
_PLAIN_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")  # noqa: TID251 - our own constant
_PLAIN_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")  # noqa: TID251 - our own constant


def label_key(labels: Labels) -> LabelKey:
    """Return a hashable, ordered identity of a label set."""
    return tuple(sorted(labels.items()))


def key_with(labels: Labels, names: Collection[str]) -> tuple[str, ...]:
    """Return the values of ``names``, empty where missing."""
    return tuple(labels.get(name, "") for name in names)


def without(labels: Labels, names: Collection[str]) -> dict[str, str]:
    """Return a copy that lacks ``names``."""
    return {name: value for name, value in labels.items() if name not in names}


def only(labels: Labels, names: Collection[str]) -> dict[str, str]:
    """Return a copy that has nothing but ``names``."""
    return {name: labels[name] for name in names if labels.get(name)}


def without_name(labels: Labels) -> dict[str, str]:
    """Return a copy that lacks the metric name, and the type and unit of the metric."""
    return without(labels, METADATA)


def is_valid_label_name(name: str) -> bool:
    """Tell whether ``name`` may name a label: any non-empty valid UTF-8, as in Prometheus 3."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def is_plain_label_name(name: str) -> bool:
    """Tell whether a label name needs no quotes."""
    return _PLAIN_NAME.fullmatch(name) is not None


def is_plain_metric_name(name: str) -> bool:
    """Tell whether a metric name needs no quotes."""
    return _PLAIN_METRIC.fullmatch(name) is not None


def format_labels(labels: Labels) -> str:
    """Return ``name{a="b", c="d"}`` as Prometheus' messages show series."""
    metric = labels.get(METRIC_NAME, "")
    pairs = [
        f"{name if is_plain_label_name(name) else quote(name)}={quote(value)}"
        for name, value in sorted(labels.items())
        if name != METRIC_NAME
    ]
    if metric and not is_plain_metric_name(metric):
        pairs.insert(0, quote(metric))
        metric = ""
    return metric + "{" + ", ".join(pairs) + "}" if pairs or not metric else metric
