"""Contracts' values as JSON and back, directed by their types: no pickle, no class names.

What comes from the other side can only become what the annotation says: dataclasses, enums, times,
bytes, numpy arrays and containers of them. Protocols, callables and loggers do not travel; what
stands in their place is decided by ``References``. Besides JSON, NaN and the infinities are
written as Python's json does.
"""

import base64
import binascii
import dataclasses
import logging
import types
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

import numpy as np

from detectviz.contracts.histograms import Histogram
from detectviz.contracts.types import JsonValue

Encoder = Callable[[Any], Any]
Decoder = Callable[[Any], Any]
_DEEPEST = 64
_NUMERIC = "biuf"


class CodecError(ValueError):
    """A value is not what its annotation says; the message names the place."""


class References(Protocol):
    """What stands for values that do not travel."""

    def give(self, value: object, hint: Any) -> JsonValue:
        """Return what the other side gets in place of ``value``."""

    def take(self, value: JsonValue, hint: Any) -> object:
        """Return what this side uses in place of what came."""


class NoReferences:
    """Refuses whatever does not travel: for answers, which are data."""

    def give(self, value: object, hint: Any) -> JsonValue:
        """Refuse."""
        raise CodecError(f"{_named(hint)} cannot leave the process.")

    def take(self, value: JsonValue, hint: Any) -> object:
        """Refuse."""
        raise CodecError(f"{_named(hint)} cannot come from another process.")


class _AnyJson:
    """Stands for the inner ``JsonValue`` of the recursive alias, which has no end written out."""


def hints_of(target: Any) -> dict[str, Any]:
    """Return the annotations of a class or function, resolved."""
    return get_type_hints(target, localns={"JsonValue": _AnyJson})


def is_protocol(hint: Any) -> bool:
    """Tell whether ``hint`` is a port: something to call, not data."""
    return isinstance(hint, type) and bool(getattr(hint, "_is_protocol", False))


class Codec:
    """Encoders and decoders by annotation, compiled once for each."""

    def __init__(self, references: References | None = None) -> None:
        self._references: References = references or NoReferences()
        self._encoders: dict[Any, Encoder] = {}
        self._decoders: dict[Any, Decoder] = {}

    def encode(self, hint: Any, value: object) -> JsonValue:
        """Return JSON for ``value``; raise CodecError."""
        encoded: JsonValue = self._encoder(hint)(value)
        return encoded

    def decode(self, hint: Any, value: JsonValue) -> Any:
        """Return the ``hint`` that ``value`` says; raise CodecError for anything else."""
        return self._decoder(hint)(value)

    def _encoder(self, hint: Any) -> Encoder:
        key = _key(hint)
        found = self._encoders.get(key)
        if found is None:
            # Recursive types find the one being made through this indirection.
            self._encoders[key] = lambda value: self._encoders[key](value)  # noqa: PLW0108 - looked up when called
            found = self._encoders[key] = self._make_encoder(hint)
        return found

    def _decoder(self, hint: Any) -> Decoder:
        key = _key(hint)
        found = self._decoders.get(key)
        if found is None:
            self._decoders[key] = lambda value: self._decoders[key](value)  # noqa: PLW0108 - likewise
            found = self._decoders[key] = self._make_decoder(hint)
        return found

    # --- encoding ---------------------------------------------------------------------------

    def _make_encoder(self, hint: Any) -> Encoder:
        if _is_json(hint):
            return partial(_plain, depth=0)
        if _is_local(hint):
            return lambda value: self._references.give(value, hint)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return self._union_encoder(arguments)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return self._dataclass_encoder(hint)
        if origin is np.ndarray:
            return self._array_encoder
        if origin is not None and issubclass_safe(origin, Mapping):
            return self._mapping_encoder(arguments)
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            each = [self._encoder(argument) for argument in arguments]
            return lambda value: [encode(item) for encode, item in zip(each, value, strict=True)]
        if origin is not None and issubclass_safe(origin, Iterable):
            return self._list_encoder(arguments[0])
        return _scalar_encoder

    def _dataclass_encoder(self, cls: type) -> Encoder:
        hints = hints_of(cls)
        plan = [(item.name, self._encoder(hints[item.name])) for item in dataclasses.fields(cls)]

        def encode(value: Any) -> dict[str, Any]:
            if not isinstance(value, cls):
                raise CodecError(f"{type(value).__name__} came where {cls.__name__} belongs.")
            return {name: inner(getattr(value, name)) for name, inner in plan}

        return encode

    def _union_encoder(self, members: tuple[Any, ...]) -> Encoder:
        real = [member for member in members if member is not types.NoneType]
        encoders = [self._encoder(member) for member in real]

        def encode(value: Any) -> Any:
            if value is None:
                return None
            if len(real) == 1:
                return encoders[0](value)
            for place, member in enumerate(real):
                if _is_of(value, member):
                    return {"of": place, "value": encoders[place](value)}
            raise CodecError(f"{type(value).__name__} is none of the types allowed here.")

        return encode

    def _mapping_encoder(self, arguments: tuple[Any, ...]) -> Encoder:
        key_hint, value_hint = arguments
        inner, key = self._encoder(value_hint), self._encoder(key_hint)
        if key_hint is str:
            return lambda value: {str(name): inner(item) for name, item in value.items()}
        return lambda value: [[key(name), inner(item)] for name, item in value.items()]

    def _list_encoder(self, item_hint: Any) -> Encoder:
        inner = self._encoder(item_hint)

        def encode(value: Any) -> Any:
            if isinstance(value, np.ndarray):
                return self._array_encoder(value)
            return [inner(item) for item in value]

        return encode

    def _array_encoder(self, value: Any) -> Any:
        array = np.asarray(value)
        if array.dtype.kind == "O":
            inner = self._encoder(Histogram | None)
            return {"dtype": "O", "data": [inner(item) for item in array]}
        if array.dtype.kind not in _NUMERIC or array.ndim != 1:
            raise CodecError(f"An array of {array.dtype} with {array.ndim} dimensions came.")
        text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
        return {"dtype": array.dtype.newbyteorder("<").str, "data": text}

    # --- decoding ---------------------------------------------------------------------------

    def _make_decoder(self, hint: Any) -> Decoder:
        if _is_json(hint):
            return partial(_plain, depth=0)
        if _is_local(hint):
            return lambda value: self._references.take(value, hint)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return self._union_decoder(arguments)
        if origin is Literal:
            return partial(_decode_literal, arguments)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return self._dataclass_decoder(hint)
        if origin is np.ndarray:
            return partial(self._decode_array, get_args(arguments[1])[0])
        if origin is not None and issubclass_safe(origin, Mapping):
            return self._mapping_decoder(arguments)
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return self._pair_decoder(arguments)
        if origin is not None and issubclass_safe(origin, Iterable):
            return self._list_decoder(origin, arguments[0])
        return _scalar_decoder(hint)

    def _dataclass_decoder(self, cls: type) -> Decoder:
        hints = hints_of(cls)
        plan = {item.name: self._decoder(hints[item.name]) for item in dataclasses.fields(cls)}

        def decode(value: Any) -> Any:
            if not isinstance(value, dict) or not value.keys() <= plan.keys():
                raise CodecError(f"This is no {cls.__name__}.")
            try:
                return cls(**{name: plan[name](item) for name, item in value.items()})
            except TypeError as error:
                raise CodecError(f"This is no {cls.__name__}: {error}") from error
            except CodecError as error:
                raise CodecError(f"{cls.__name__}: {error}") from error

        return decode

    def _union_decoder(self, members: tuple[Any, ...]) -> Decoder:
        real = [member for member in members if member is not types.NoneType]
        decoders = [self._decoder(member) for member in real]
        may_be_none = len(real) < len(members)

        def decode(value: Any) -> Any:
            if value is None and may_be_none:
                return None
            if len(real) == 1:
                return decoders[0](value)
            place = value.get("of") if isinstance(value, dict) else None
            if not isinstance(place, int) or not 0 <= place < len(real):
                raise CodecError("One of several types belongs here.")
            return decoders[place](value.get("value"))

        return decode

    def _mapping_decoder(self, arguments: tuple[Any, ...]) -> Decoder:
        key_hint, value_hint = arguments
        key, inner = self._decoder(key_hint), self._decoder(value_hint)

        def decode(value: Any) -> Any:
            if key_hint is str:
                if not isinstance(value, dict):
                    raise CodecError("An object belongs here.")
                return {name: inner(item) for name, item in value.items()}
            pairs = _as_list(value)
            if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):  # noqa: PLR2004 - a pair
                raise CodecError("A list of pairs belongs here.")
            return {key(name): inner(item) for name, item in pairs}

        return decode

    def _pair_decoder(self, arguments: tuple[Any, ...]) -> Decoder:
        each = [self._decoder(argument) for argument in arguments]

        def decode(value: Any) -> Any:
            items = _as_list(value)
            if len(items) != len(each):
                raise CodecError(f"{len(each)} values belong here.")
            return tuple(inner(item) for inner, item in zip(each, items, strict=True))

        return decode

    def _list_decoder(self, origin: Any, item_hint: Any) -> Decoder:
        inner = self._decoder(item_hint)
        make = origin if origin in (list, set, frozenset) else tuple
        if issubclass_safe(origin, AbstractSet) and make is tuple:
            make = frozenset

        def decode(value: Any) -> Any:
            if _is_json(item_hint) and isinstance(value, dict):
                return self._decode_array(np.generic, value)
            return make(inner(item) for item in _as_list(value))

        return decode

    def _decode_array(self, wanted: Any, value: Any) -> Any:
        if not isinstance(value, dict) or value.keys() != {"dtype", "data"}:
            raise CodecError("An array belongs here.")
        if wanted is np.object_ or value["dtype"] == "O":
            if wanted is not np.object_:
                raise CodecError("An array of numbers belongs here.")
            inner = self._decoder(Histogram | None)
            items = [inner(item) for item in _as_list(value["data"])]
            objects = np.empty(len(items), dtype=np.object_)
            objects[:] = items
            return objects
        return _numbers(wanted, value["dtype"], value["data"])


def issubclass_safe(candidate: Any, parent: type) -> bool:
    """Tell whether ``candidate`` is a class below ``parent``; False for what is no class."""
    return isinstance(candidate, type) and issubclass(candidate, parent)


def _key(hint: Any) -> Any:
    # Equal unions of different order are one key to Python and have different places to us.
    arguments = tuple(tuple(a) if isinstance(a, list) else a for a in get_args(hint))
    return (get_origin(hint), arguments) if arguments else hint


def _is_json(hint: Any) -> bool:
    return hint is _AnyJson or Mapping[str, _AnyJson] in get_args(hint)


def _is_local(hint: Any) -> bool:
    origin = get_origin(hint) or hint
    return (
        is_protocol(hint)
        or origin in (Callable, MutableMapping)
        or issubclass_safe(origin, logging.Logger)
    )


def _is_of(value: object, hint: Any) -> bool:
    origin = get_origin(hint) or hint
    if origin is Literal:
        return value in get_args(hint)
    if origin is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if origin is int and isinstance(value, bool):
        return False
    return isinstance(origin, type) and isinstance(value, origin)


def _named(hint: Any) -> str:
    return getattr(hint, "__name__", None) or str(hint)


def _as_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise CodecError("A list belongs here.")
    return value


def _plain(value: Any, *, depth: int) -> Any:
    """Return ``value`` as plain JSON; numpy's scalars and enums become what they stand for."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value.value if isinstance(value, Enum) else value
    if depth > _DEEPEST:
        raise CodecError(f"A value is nested more than {_DEEPEST} deep.")
    if isinstance(value, Mapping):
        return {str(name): _plain(item, depth=depth + 1) for name, item in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (Sequence, AbstractSet, np.ndarray)) and not isinstance(value, bytes):
        return [_plain(item, depth=depth + 1) for item in value]
    raise CodecError(f"{type(value).__name__} is no JSON.")


def _scalar_encoder(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise CodecError("A time without a zone cannot leave the process.")
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise CodecError(f"{type(value).__name__} cannot leave the process.")


def _scalar_decoder(hint: Any) -> Decoder:
    if issubclass_safe(hint, Enum):
        return partial(_decode_enum, hint)
    special: dict[Any, Decoder] = {
        datetime: _decode_time,
        bytes: _decode_bytes,
        float: _decode_float,
        types.NoneType: _decode_none,
        None: _decode_none,
    }
    if hint in special:
        return special[hint]
    if hint in (str, bool, int):
        return partial(_decode_exactly, hint)
    raise CodecError(f"{_named(hint)} cannot come from another process.")


def _decode_none(value: Any) -> None:
    if value is not None:
        raise CodecError("Nothing belongs here.")


def _decode_exactly(wanted: type, value: Any) -> Any:
    if type(value) is not wanted:
        raise CodecError(f"{type(value).__name__} came where {wanted.__name__} belongs.")
    return value


def _decode_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CodecError(f"{type(value).__name__} came where a number belongs.")
    try:
        return float(value)
    except OverflowError as error:
        raise CodecError("A number is too large.") from error


def _decode_literal(choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    raise CodecError(f"One of {', '.join(map(str, choices))} belongs here.")


def _decode_enum(cls: type[Enum], value: Any) -> Enum:
    try:
        return cls(value)
    except (ValueError, TypeError) as error:
        raise CodecError(f"This is no {cls.__name__}.") from error


def _decode_time(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise CodecError("This is no time.") from error
    if at.tzinfo is None:
        raise CodecError("A time has a zone.")
    return at


def _decode_bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, TypeError, binascii.Error) as error:
        raise CodecError("Bytes come as base64.") from error


def _numbers(wanted: Any, dtype: Any, data: Any) -> Any:
    try:
        kind = np.dtype(dtype) if isinstance(dtype, str) else None
    except TypeError as error:
        raise CodecError("This is no type of number.") from error
    if kind is None or kind.kind not in _NUMERIC or kind.hasobject:
        raise CodecError("An array of numbers belongs here.")
    if wanted is not np.generic and kind != np.dtype(wanted):
        raise CodecError(f"An array of {kind} came where {np.dtype(wanted)} belongs.")
    raw = bytearray(_decode_bytes(data))
    if len(raw) % kind.itemsize:
        raise CodecError("An array has half a number.")
    return np.frombuffer(raw, dtype=kind)
