"""What a plugin's ``config.schema.json`` must look like, and how to walk one."""

from collections.abc import Iterator, Mapping

from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.explain import FieldProblem, find_problems, pointer
from detectviz.pluginhost.formats import FORMATS
from detectviz.pluginhost.vocabulary import find_vocabulary_problems

_LOCAL = "#/$defs/"
_DEEPEST_REFERENCE = 16


def find_schema_problems(schema: JsonObject) -> tuple[FieldProblem, ...]:
    """Return everything to put right in ``schema``, as JSON pointers into it."""
    unknown = tuple(find_vocabulary_problems(schema))
    if unknown:
        return unknown
    try:
        plain = inline_references(schema)
    except ReferenceError as error:
        return (FieldProblem(field="", message=str(error)),)
    if plain.get("type") != "object":
        return (FieldProblem(field="/type", message='The schema must say "type": "object".'),)
    return tuple(_walk_problems(plain, (), inside_list=False))


def inline_references(schema: JsonObject) -> JsonObject:
    """Return ``schema`` with every ``$ref`` to its own ``$defs`` replaced by what it names."""
    definitions = _mapping(schema.get("$defs"))
    body = {key: value for key, value in schema.items() if key != "$defs"}
    return _mapping(_inline(body, definitions, 0))


def properties_of(schema: JsonObject) -> dict[str, JsonObject]:
    """Return the properties of an object schema, in the order they are written."""
    return {name: _mapping(value) for name, value in _mapping(schema.get("properties")).items()}


def is_secret(schema: JsonObject) -> bool:
    """Return whether the property is a secret (``writeOnly: true``)."""
    return schema.get("writeOnly") is True


def walk_properties(
    schema: JsonObject, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    """Yield every property and nested property with its path; lists are not entered."""
    for name, described in properties_of(schema).items():
        here = (*path, name)
        yield here, described
        yield from walk_properties(described, here)


def secret_paths(schema: JsonObject) -> tuple[tuple[str, ...], ...]:
    """Return the paths of all secrets of ``schema``."""
    return tuple(path for path, described in walk_properties(schema) if is_secret(described))


def _walk_problems(
    schema: JsonObject, path: tuple[str, ...], *, inside_list: bool
) -> Iterator[FieldProblem]:
    if "properties" in schema and schema.get("additionalProperties") is not False:
        yield FieldProblem(
            field=pointer((*path, "additionalProperties")),
            message='Say "additionalProperties": false, so that a misspelt field is refused.',
        )
    for name, described in properties_of(schema).items():
        here = (*path, "properties", name)
        yield from _property_problems(described, here, inside_list=inside_list)
        yield from _walk_problems(described, here, inside_list=inside_list)
    for key in ("items", "additionalProperties"):
        inner = schema.get(key)
        if isinstance(inner, Mapping):
            yield from _property_problems(inner, (*path, key), inside_list=True)
            yield from _walk_problems(inner, (*path, key), inside_list=True)


def _property_problems(
    described: JsonObject, path: tuple[str, ...], *, inside_list: bool
) -> Iterator[FieldProblem]:
    named = described.get("format")
    if isinstance(named, str) and named not in FORMATS:
        known = ", ".join(sorted(FORMATS))
        yield FieldProblem(field=pointer((*path, "format")), message=f"Use one of {known}.")
    if is_secret(described):
        yield from _secret_problems(described, path, inside_list=inside_list)
    elif "default" in described and "properties" not in described:
        for problem in find_problems(described, described["default"]):
            yield FieldProblem(
                field=pointer((*path, "default")) + problem.field, message=problem.message
            )


def _secret_problems(
    described: JsonObject, path: tuple[str, ...], *, inside_list: bool
) -> Iterator[FieldProblem]:
    if inside_list:
        yield FieldProblem(
            field=pointer(path), message="A secret cannot be inside a list or a map; move it out."
        )
    if described.get("type") != "string":
        yield FieldProblem(
            field=pointer((*path, "type")), message='A secret must say "type": "string".'
        )
    if "default" in described:
        yield FieldProblem(
            field=pointer((*path, "default")), message="A secret has no default; remove it."
        )


def _inline(value: JsonValue, definitions: JsonObject, depth: int) -> JsonValue:
    if depth > _DEEPEST_REFERENCE:
        raise ReferenceError("References are nested too deeply or refer to themselves.")
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return {key: _inline(inner, definitions, depth) for key, inner in value.items()}
        name = reference.removeprefix(_LOCAL)
        if name not in definitions or not reference.startswith(_LOCAL):
            raise ReferenceError(f"{reference} names nothing; only {_LOCAL}… can be referred to.")
        beside = {key: inner for key, inner in value.items() if key != "$ref"}
        return _inline({**_mapping(definitions[name]), **beside}, definitions, depth + 1)
    if isinstance(value, list):
        return [_inline(inner, definitions, depth) for inner in value]
    return value


def _mapping(value: JsonValue) -> JsonObject:
    return value if isinstance(value, Mapping) else {}
