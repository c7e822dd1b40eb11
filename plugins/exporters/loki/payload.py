"""The JSON body of ``POST /loki/api/v1/push``.

Source: Loki's HTTP API reference.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from detectviz.contracts.records import LogRecord
from detectviz.contracts.types import JsonObject, JsonValue, Labels

_FIRST: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_OTHERS: Final = _FIRST | frozenset("0123456789")
_NONE: Final = {"service_name": "unknown_service"}


def push_body(lines: Sequence[LogRecord], *, more_labels: Labels, attributes: str) -> bytes:
    """Return the body for lines; ``attributes`` is metadata, line or drop."""
    streams: dict[tuple[tuple[str, str], ...], list[JsonValue]] = {}
    for line in lines:
        labels = _labels(line, more_labels)
        streams.setdefault(tuple(sorted(labels.items())), []).append(_entry(line, attributes))
    found = [{"stream": dict(key), "values": values} for key, values in streams.items()]
    text = json.dumps({"streams": found}, ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _labels(line: LogRecord, more: Labels) -> dict[str, str]:
    level = {"level": line.severity} if line.severity else {}
    labels = {**more, **level, **line.labels}
    return {label_name(name): value for name, value in labels.items() if value} or dict(_NONE)


def _entry(line: LogRecord, attributes: str) -> list[JsonValue]:
    body, rest = line.body, line.attributes
    if rest and attributes == "line":
        body = json.dumps({"message": body, **rest}, ensure_ascii=False, default=dict)
    entry: list[JsonValue] = [str(line.timestamp_ms * 1_000_000), body]
    return [*entry, _metadata(rest)] if rest and attributes == "metadata" else entry


def _metadata(attributes: JsonObject) -> dict[str, JsonValue]:
    """Return attributes as Loki takes them: one level, all values text."""
    return {label_name(name): _text(value) for name, value in attributes.items()}


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        value = dict(value)
    return json.dumps(value, ensure_ascii=False, default=dict)


def label_name(name: str) -> str:
    """Return ``name`` with every character Loki's labels cannot have as an underscore."""
    fit = "".join(character if character in _OTHERS else "_" for character in name)
    return fit if fit and fit[0] in _FIRST else f"_{fit}"
