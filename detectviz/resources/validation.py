"""Validate a spec: shape and sizes first, then the kind's serializer; every error has a path."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models
from rest_framework import serializers

from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.registry import ResourceKind

MAX_STRING = 65_536
MAX_DEPTH = 32
MAX_ITEMS = 10_000
MAX_INTEGER = 2**63 - 1  # what databases and JSON parsers hold

Errors = dict[str, list[str]]


def validate_spec(
    kind: ResourceKind[Any], *, org: models.Model, instance: Any, spec: object
) -> dict[str, Any]:
    """Return the validated spec, or raise InvalidFieldsError naming every wrong path."""
    context = kind.serializer_context(org=org, instance=instance)
    return validate_data(kind.spec_serializer, spec, context)


def validate_data(
    serializer_class: type[serializers.Serializer[Any]], spec: object, context: dict[str, Any]
) -> dict[str, Any]:
    """Return ``spec`` validated by a serializer, with the bounds every spec has."""
    if not isinstance(spec, Mapping):
        raise InvalidFieldsError({"spec": ["Must be an object."]})
    errors: Errors = {}
    _check_bounds(spec, "spec", 0, errors)
    if errors:
        raise InvalidFieldsError(errors)
    serializer = serializer_class(data=spec, context=context)
    _check_unknown(serializer, spec, "spec", errors)
    try:
        serializer.is_valid()
    except DjangoValidationError as error:
        errors.setdefault("spec", []).extend(error.messages)
    else:
        errors |= flatten_errors(serializer.errors, "spec")
    if errors:
        raise InvalidFieldsError(errors)
    return dict(serializer.validated_data)


def flatten_errors(detail: object, path: str) -> Errors:
    """Turn a serializer's nested errors into path → messages (``spec.rules[0].expr``)."""
    if isinstance(detail, Mapping):
        flat: Errors = {}
        for key, value in detail.items():
            flat |= flatten_errors(value, _child(path, key))
        return flat
    if isinstance(detail, list | tuple):
        if all(isinstance(item, str) for item in detail):
            return {path: [str(item) for item in detail]}
        flat = {}
        for index, value in enumerate(detail):
            if value:
                flat |= flatten_errors(value, f"{path}[{index}]")
        return flat
    return {path: [str(detail)]}


def _child(path: str, key: object) -> str:
    if key == "non_field_errors":
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}"


def _check_bounds(value: object, path: str, depth: int, errors: Errors) -> None:
    """Refuse what no field could want, naming where it is."""
    problem = _out_of_bounds(value, depth)
    if problem:
        errors[path] = [problem]
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_bounds(item, f"{path}.{key}", depth + 1, errors)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_bounds(item, f"{path}[{index}]", depth + 1, errors)


def _out_of_bounds(value: object, depth: int) -> str:
    if depth > MAX_DEPTH:
        return f"Nested deeper than {MAX_DEPTH} levels."
    if isinstance(value, str):
        return _text_out_of_bounds(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_out_of_bounds(value)
    if value is not None and not isinstance(value, bool | list | Mapping):
        return "Must be text, a number, true, false, null, a list or an object."  # YAML has more
    if isinstance(value, Mapping) and any(
        not isinstance(key, str) or len(key) > MAX_STRING for key in value
    ):
        return "Keys must be strings of reasonable length."
    if isinstance(value, Mapping) and any("\x00" in key for key in value):
        return "Keys must not contain NUL characters."
    if isinstance(value, list | Mapping) and len(value) > MAX_ITEMS:
        return f"More than {MAX_ITEMS} items."
    return ""


def _text_out_of_bounds(value: str) -> str:
    if len(value) > MAX_STRING:
        return f"Longer than {MAX_STRING} characters."
    return "Must not contain NUL characters." if "\x00" in value else ""


def _number_out_of_bounds(value: float) -> str:
    if isinstance(value, float) and not isfinite(value):
        return "Must be a finite number."
    return "" if -MAX_INTEGER <= value <= MAX_INTEGER or isinstance(value, float) else "Too large."


def _check_unknown(
    serializer: serializers.Field[Any, Any, Any, Any], data: object, path: str, errors: Errors
) -> None:
    """Refuse keys no field takes: a misspelt option must not be silently ignored."""
    if isinstance(serializer, serializers.ListSerializer):
        if isinstance(data, list) and serializer.child is not None:
            for index, item in enumerate(data):
                _check_unknown(serializer.child, item, f"{path}[{index}]", errors)
        return
    if not isinstance(serializer, serializers.Serializer) or not isinstance(data, Mapping):
        return
    for key, value in data.items():
        field = serializer.fields.get(key)
        if field is None or field.read_only:
            known = ", ".join(
                name for name, item in serializer.fields.items() if not item.read_only
            )
            errors[f"{path}.{key}"] = [f"Unknown field. Known fields: {known}."]
        elif isinstance(field, serializers.Serializer | serializers.ListSerializer):
            _check_unknown(field, value, f"{path}.{key}", errors)
