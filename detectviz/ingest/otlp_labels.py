"""OTLP attributes as labels: of a resource, a scope and a data point.

Source: the OpenTelemetry specification, "Prometheus and OpenMetrics compatibility". Attributes
whose names become the same label are joined by ``;`` in the order of their own names.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from detectviz.ingest.otlp_names import label_name
from detectviz.tsdb.interface import METRIC_NAME
from detectviz.tsdb.labels import LabelKey

TARGET_INFO = "target_info"
_IDENTIFYING = {"service.name", "service.namespace", "service.instance.id"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Labels that every point of a resource and scope carries; they win over the point's own."""

    labels: Mapping[str, str]

    def within(self, scope: Any, schema_url: str) -> "Origin":
        """Return the origin of one scope's points."""
        if not scope.name:
            return self
        own = {
            label_name(f"otel_scope_{key}"): value for key, value in _texts(scope.attributes)
        } | {
            "otel_scope_name": scope.name,
            "otel_scope_version": scope.version,
            "otel_scope_schema_url": schema_url,
        }
        return Origin({**own, **self.labels})

    def series(self, name: str, labels: Mapping[str, str], **more: str) -> LabelKey:
        """Return the token of a series."""
        every = {**labels, **self.labels, **more, METRIC_NAME: name}
        return tuple(sorted(pair for pair in every.items() if pair[1]))

    def clashes(self, labels: Mapping[str, str]) -> list[str]:
        """Return the labels of a point that this origin overrules with another value."""
        return [name for name, text in labels.items() if self.labels.get(name, text) != text]


def origin_of(resource: Any) -> tuple[Origin, LabelKey | None]:
    """Return ``job`` and ``instance`` of a resource, and its ``target_info`` when it has one.

    ``job`` is ``service.namespace/service.name``, ``instance`` is ``service.instance.id``; all
    other attributes stand in ``target_info``, which needs at least one of the two.
    """
    found = dict(_texts(resource.attributes))
    labels: dict[str, str] = {}
    if found.get("service.name"):
        namespace = found.get("service.namespace")
        job = found["service.name"]
        labels["job"] = f"{namespace}/{job}" if namespace else job
    if found.get("service.instance.id"):
        labels["instance"] = found["service.instance.id"]
    origin = Origin(labels)
    rest = attribute_labels(one for one in resource.attributes if one.key not in _IDENTIFYING)
    info = origin.series(TARGET_INFO, rest) if rest and labels else None
    return origin, info


def attribute_labels(attributes: Iterable[Any]) -> dict[str, str]:
    """Return attributes as labels."""
    labels: dict[str, str] = {}
    for key, value in sorted(_texts(attributes)):
        name = label_name(key)
        if name:
            labels[name] = f"{labels[name]};{value}" if name in labels else value
    return labels


def _texts(attributes: Iterable[Any]) -> list[tuple[str, str]]:
    return [(one.key, one.value.string_value or _text(one.value)) for one in attributes if one.key]


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    if kind is None or kind == "string_value":
        return ""
    if kind in {"array_value", "kvlist_value"}:
        return orjson.dumps(_plain(value)).decode()
    return str(_scalar(value, kind))


def _scalar(value: Any, kind: str) -> str:
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "double_value":
        return float_text(value.double_value)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return str(getattr(value, kind))


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: _plain(item.value) for item in value.kvlist_value.values}
    if kind in {None, "bytes_value"}:
        return None if kind is None else _scalar(value, kind)
    found = getattr(value, kind)
    return found if not isinstance(found, int) or abs(found) < 1 << 53 else str(found)


def float_text(value: float) -> str:
    """Return a number without exponent and without zeros at its end, as ``le`` has it."""
    if not np.isfinite(value):
        return {np.inf: "+Inf", -np.inf: "-Inf"}.get(value, "NaN")
    return str(np.format_float_positional(value, trim="-"))
