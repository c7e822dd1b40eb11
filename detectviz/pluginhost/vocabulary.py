"""The JSON Schema keywords a configuration schema may use: those its form and host understand.

Checked here instead of against the meta-schema, which takes a hundred times as long and lets
misspelt keywords pass.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

from detectviz.contracts.types import JsonValue, PluginKind
from detectviz.pluginhost.explain import FieldProblem, pointer

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_DEEPEST = 30


def _is_type(value: JsonValue) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(name in _TYPES for name in names)


def _is_pattern(value: JsonValue) -> bool:
    if not isinstance(value, str):
        return False
    try:
        re.compile(value)  # noqa: TID251 - a plugin's own pattern, tried once
    except re.error:
        return False
    return True


def _is_text(value: JsonValue) -> bool:
    return isinstance(value, str)


def _is_bool(value: JsonValue) -> bool:
    return isinstance(value, bool)


def _is_count(value: JsonValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_choices(value: JsonValue) -> bool:
    return isinstance(value, list) and bool(value)


def _is_names(value: JsonValue) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_object(value: JsonValue) -> bool:
    return isinstance(value, Mapping)


def _is_kind(value: JsonValue) -> bool:
    return value in set(PluginKind)


def _is_anything(value: JsonValue) -> bool:
    return True


_KEYWORDS: dict[str, Callable[[JsonValue], bool]] = {
    **dict.fromkeys(("$schema", "$id", "$ref", "$comment", "title", "description"), _is_text),
    **dict.fromkeys(
        ("format", "x-group", "x-hint", "x-language", "x-placeholder", "x-widget"), _is_text
    ),
    **dict.fromkeys(("writeOnly", "uniqueItems", "x-target", "x-template"), _is_bool),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _is_count),
    **dict.fromkeys(("minProperties", "maxProperties", "x-order"), _is_count),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), _is_number),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _is_number),
    **dict.fromkeys(("default", "const", "examples"), _is_anything),
    **dict.fromkeys(("x-labels", "x-show-if", "dependentRequired"), _is_object),
    "type": _is_type,
    "pattern": _is_pattern,
    "enum": _is_choices,
    "x-plugins": _is_kind,
    "required": _is_names,
}
_ONE_INSIDE = (
    *("items", "additionalProperties", "propertyNames", "not", "if", "then", "else"),
    "x-connection",
)
_LIST_INSIDE = ("allOf", "anyOf", "oneOf")
_MAP_INSIDE = ("properties", "$defs")
_KNOWN = (*_KEYWORDS, *_ONE_INSIDE, *_LIST_INSIDE, *_MAP_INSIDE)


def find_vocabulary_problems(
    schema: JsonValue, path: tuple[str, ...] = ()
) -> Iterator[FieldProblem]:
    """Yield every keyword of ``schema`` that is unknown or has a value it cannot have."""
    if isinstance(schema, bool) and path:
        return
    if not isinstance(schema, Mapping) or len(path) > _DEEPEST:
        yield FieldProblem(field=pointer(path), message="Write a schema here: an object.")
        return
    for keyword, value in schema.items():
        here = (*path, keyword)
        check = _KEYWORDS.get(keyword)
        if check is not None:
            if not check(value):
                message = f"This is no value for {keyword}; see the JSON Schema reference."
                yield FieldProblem(field=pointer(here), message=message)
        elif keyword in _KNOWN:
            yield from _inside(keyword, value, here)
        else:
            near = get_close_matches(keyword, _KNOWN, n=1)
            hint = f"did you mean {near[0]}" if near else "remove it"
            message = f"{keyword} is not among the keywords understood; {hint}."
            yield FieldProblem(field=pointer(here), message=message)


def _inside(keyword: str, value: JsonValue, path: tuple[str, ...]) -> Iterator[FieldProblem]:
    if keyword in _ONE_INSIDE:
        yield from find_vocabulary_problems(value, path)
    elif keyword in _MAP_INSIDE and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from find_vocabulary_problems(inner, (*path, name))
    elif keyword in _LIST_INSIDE and isinstance(value, list):
        for index, inner in enumerate(value):
            yield from find_vocabulary_problems(inner, (*path, str(index)))
    else:
        yield FieldProblem(field=pointer(path), message=f"{keyword} holds schemas.")
