"""Typed reading of a configuration that has passed its schema, so plugins need no casts."""

from collections.abc import Mapping

from detectviz.contracts.durations import DurationError, parse_duration_s
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject, JsonValue


def get_text(config: JsonObject, name: str, default: str = "") -> str:
    """Return the text ``name``, or ``default`` where it is absent or null."""
    value = config.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise _wrong(name, "text")
    return value


def get_bool(config: JsonObject, name: str, *, default: bool = False) -> bool:
    """Return the switch ``name``, or ``default`` where it is absent or null."""
    value = config.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _wrong(name, "true or false")
    return value


def get_int(config: JsonObject, name: str, default: int = 0) -> int:
    """Return the whole number ``name``, or ``default`` where it is absent or null."""
    return int(get_float(config, name, default))


def get_float(config: JsonObject, name: str, default: float = 0.0) -> float:
    """Return the number ``name``, or ``default`` where it is absent or null."""
    number = get_number(config, name)
    return default if number is None else number


def get_number(config: JsonObject, name: str) -> float | None:
    """Return the number ``name``, None where it is absent or null (a threshold not set)."""
    value = config.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(name, "a number")
    return value


def get_duration_s(config: JsonObject, name: str) -> float | None:
    """Return the seconds of the duration text ``name``, None where it is absent or empty."""
    text = get_text(config, name)
    if not text:
        return None
    try:
        return parse_duration_s(text)
    except DurationError as error:
        raise ConfigurationError(str(error), field=f"/{name}") from error


def get_object(config: JsonObject, name: str) -> JsonObject:
    """Return the object ``name``, empty where it is absent or null."""
    return _as_object(config.get(name), name)


def get_list(config: JsonObject, name: str) -> tuple[JsonValue, ...]:
    """Return the list ``name``, empty where it is absent or null."""
    value = config.get(name)
    if value is None:
        return ()
    if isinstance(value, (str, Mapping)) or not hasattr(value, "__iter__"):
        raise _wrong(name, "a list")
    return tuple(value)


def get_texts(config: JsonObject, name: str) -> tuple[str, ...]:
    """Return the list of texts ``name``, empty where it is absent or null."""
    values = get_list(config, name)
    texts = tuple(value for value in values if isinstance(value, str))
    if len(texts) != len(values):
        raise _wrong(name, "a list of texts")
    return texts


def get_objects(config: JsonObject, name: str) -> tuple[JsonObject, ...]:
    """Return the list of objects ``name``, empty where it is absent or null."""
    return tuple(_as_object(value, name) for value in get_list(config, name))


def get_text_map(config: JsonObject, name: str) -> dict[str, str]:
    """Return the object of texts ``name``, empty where it is absent or null."""
    values = get_object(config, name)
    texts = {key: value for key, value in values.items() if isinstance(value, str)}
    if len(texts) != len(values):
        raise _wrong(name, "an object of texts")
    return texts


def _as_object(value: JsonValue, name: str) -> JsonObject:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(name, "an object")
    return value


def _wrong(name: str, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"{name} must be {wanted}.", field=f"/{name}")
