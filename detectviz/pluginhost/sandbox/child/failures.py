"""Failures between host and plugin: the errors of the contracts, whole, and nothing else."""

import inspect
from typing import Any

from detectviz.contracts import errors
from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import JsonValue
from detectviz.pluginhost.sandbox.child.codec import Codec, CodecError, hints_of

FAILED = -32000
CANCELLED = -32001
REFUSED = -32602
MOST_TEXT = 4_000
_TYPES: dict[str, type[PluginError]] = {
    name: item
    for name, item in vars(errors).items()
    if isinstance(item, type) and issubclass(item, PluginError)
}
_CODEC = Codec()


def failure_encode(error: BaseException) -> dict[str, JsonValue]:
    """Return the JSON-RPC error object of what was raised; strangers lose all but their words."""
    if isinstance(error, PluginError) and type(error) in _TYPES.values():
        fields = {
            name: _CODEC.encode(hint, getattr(error, name, None))
            for name, hint in _parameters(type(error)).items()
        }
        data: dict[str, JsonValue] = {"type": type(error).__name__, "fields": fields}
        return {"code": FAILED, "message": str(error)[:MOST_TEXT], "data": data}
    text = f"{type(error).__name__}: {error}"[:MOST_TEXT]
    permanent = isinstance(error, PluginError) and error.permanent
    data = {"type": "PluginError", "fields": {"message": text, "permanent": permanent}}
    return {"code": FAILED, "message": text, "data": data}


def failure_decode(answer: Any) -> PluginError:
    """Return the error that an error object tells of; a garbled one is a PluginError too."""
    answer = answer if isinstance(answer, dict) else {}
    data = answer.get("data")
    data = data if isinstance(data, dict) else {}
    cls = _TYPES.get(str(data.get("type")), PluginError)
    fields = data.get("fields")
    try:
        return _build(cls, fields if isinstance(fields, dict) else {})
    except (CodecError, TypeError):
        return PluginError(str(answer.get("message", "The plugin failed."))[:MOST_TEXT])


def _build(cls: type[PluginError], fields: dict[str, Any]) -> PluginError:
    hints = _parameters(cls)
    if not fields.keys() <= hints.keys():
        raise CodecError(f"This is no {cls.__name__}.")
    values = {name: _CODEC.decode(hints[name], item) for name, item in fields.items()}
    message = str(values.pop("message", ""))[:MOST_TEXT]
    return cls(message, **values)


def _parameters(cls: type[PluginError]) -> dict[str, Any]:
    hints = hints_of(cls.__init__)
    names = list(inspect.signature(cls).parameters)
    return {name: hints[name] for name in names}
