"""Target groups as JSON, the way files and HTTP servers hand them to Prometheus."""

from collections.abc import Mapping
from typing import Final

from detectviz.contracts.discovery import TargetGroup
from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import JsonValue, Labels

ADDRESS: Final = "__address__"
_KEYS: Final = frozenset({"targets", "labels"})


def read_target_groups(
    document: JsonValue, *, source: str, labels: Labels | None = None
) -> list[TargetGroup]:
    """Return the groups of ``[{"targets": ["host:port"], "labels": {"name": "value"}}]``.

    ``labels`` are added to each group. Raise PluginError that names ``source`` and the place.
    """
    if document is None:
        return []
    if not isinstance(document, list):
        raise PluginError(f"{source}: expected a list of target groups.")
    return [
        _group(entry, f"{source}: group {place}", f"{source}:{place}", labels or {})
        for place, entry in enumerate(document)
    ]


def _group(entry: JsonValue, where: str, source: str, extra: Labels) -> TargetGroup:
    if not isinstance(entry, Mapping):
        raise PluginError(f"{where}: expected an object with targets and labels.")
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise PluginError(f"{where}: unknown field {unknown[0]!r}; use targets and labels.")
    targets, labels = entry.get("targets"), entry.get("labels")
    addresses = targets if isinstance(targets, list) else []
    if targets is not None and not isinstance(targets, list):
        raise PluginError(f"{where}: targets must be a list.")
    if labels is not None and not isinstance(labels, Mapping):
        raise PluginError(f"{where}: labels must be an object.")
    return TargetGroup(
        targets=tuple({ADDRESS: _text(each, f"{where}: a target")} for each in addresses),
        labels={
            **{
                name: _text(value, f"{where}: label {name}")
                for name, value in (labels or {}).items()
            },
            **extra,
        },
        source=source,
    )


def _text(value: JsonValue, what: str) -> str:
    if not isinstance(value, str):
        raise PluginError(f"{what} must be text.")
    return value
