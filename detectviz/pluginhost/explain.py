"""JSON Schema errors as sentences to act on. Values are never repeated: some are secret."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from itertools import islice

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.formats import FORMATS

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_SHOWN_CHOICES = 40
_MOST_PROBLEMS = 100
_MOST_ENTRIES = 1_000
_DEEPEST = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One value to change: its JSON pointer, and what to do about it."""

    field: str
    message: str


def find_problems(schema: JsonObject, document: JsonValue) -> tuple[FieldProblem, ...]:
    """Return what ``schema`` refuses in ``document``, in the order of the fields.

    At most a hundred problems are gathered, and a list or object of more than a thousand entries
    is refused unread: JSON Schema compares every entry with every other.
    """
    oversized = tuple(_find_oversized(document, ()))
    if oversized:
        return oversized
    validator = Draft202012Validator(schema, format_checker=_format_checker())
    found: dict[tuple[str, str], FieldProblem] = {}
    for error in islice(validator.iter_errors(document), _MOST_PROBLEMS):
        for problem in _explain(error):
            found.setdefault((problem.field, problem.message), problem)
    return tuple(found[key] for key in sorted(found))


def _find_oversized(value: JsonValue, path: tuple[str | int, ...]) -> Iterator[FieldProblem]:
    if not isinstance(value, (list, dict)):
        return
    if len(value) > _MOST_ENTRIES:
        yield FieldProblem(field=pointer(path), message=f"Keep at most {_MOST_ENTRIES} entries.")
        return
    if len(path) > _DEEPEST:
        yield FieldProblem(field=pointer(path), message="Write it with fewer levels.")
        return
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        yield from _find_oversized(inner, (*path, key))


def pointer(parts: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of ``parts``."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


@cache
def _format_checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name in FORMATS:
        checker.checks(name)(partial(_is_of_format, name))
    return checker


def _is_of_format(name: str, value: JsonValue) -> bool:
    return not isinstance(value, str) or FORMATS[name](value) is None


def _explain(error: ValidationError) -> Iterator[FieldProblem]:
    path = tuple(error.absolute_path)
    keyword = str(error.validator)
    if keyword == "required":
        for name in _missing(error):
            title = _title(error.schema, name)
            yield FieldProblem(
                field=pointer((*path, name)), message=f"{title} is required; set it."
            )
    elif keyword in {"additionalProperties", "unevaluatedProperties"} and not error.validator_value:
        known = sorted(_properties(error.schema))
        for name in sorted(set(error.instance) - set(known)):
            yield FieldProblem(field=pointer((*path, name)), message=_unknown(name, known))
    elif keyword in {"if", "allOf"} and error.context:
        for inner in error.context:
            yield from _explain(inner)
    else:
        yield FieldProblem(field=pointer(path), message=_sentence(error))


def _missing(error: ValidationError) -> Sequence[str]:
    named = [name for name in error.validator_value if f"{name!r} is a required" in error.message]
    return named or [name for name in error.validator_value if name not in error.instance]


def _properties(schema: JsonObject) -> JsonObject:
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _title(schema: JsonObject, name: str) -> str:
    described = _properties(schema).get(name)
    title = described.get("title") if isinstance(described, Mapping) else None
    return title if isinstance(title, str) else name


def _unknown(name: str, known: Sequence[str]) -> str:
    shown = name if len(name) <= _SHOWN_CHOICES else f"{name[:_SHOWN_CHOICES]}…"
    near = get_close_matches(name[:_SHOWN_CHOICES], known, n=1)
    if near:
        return f"There is no field {shown}; did you mean {near[0]}?"
    if not known:
        return f"There is no field {shown} here; remove it."
    return f"There is no field {shown} here; remove it or use one of {', '.join(known)}."


def _sentence(error: ValidationError) -> str:
    wanted = error.validator_value
    sentences: dict[str, Callable[[], str]] = {
        "type": lambda: f"Must be {_type_names(wanted)}.",
        "enum": lambda: f"Choose one of {_listed(wanted)}.",
        "const": lambda: f"Must be {wanted}.",
        "minimum": lambda: f"Must be at least {wanted}.",
        "maximum": lambda: f"Must be at most {wanted}.",
        "exclusiveMinimum": lambda: f"Must be more than {wanted}.",
        "exclusiveMaximum": lambda: f"Must be less than {wanted}.",
        "multipleOf": lambda: f"Must be a multiple of {wanted}.",
        "minLength": lambda: _at_least(wanted, "character"),
        "maxLength": lambda: f"Shorten it to {wanted} characters.",
        "minItems": lambda: _at_least(wanted, "entry", "entries"),
        "maxItems": lambda: f"Keep at most {wanted} entries.",
        "maxProperties": lambda: f"Keep at most {wanted} entries.",
        "uniqueItems": lambda: "Remove the entry that appears twice.",
        "pattern": lambda: str(error.schema.get("x-hint", f"Must match {wanted}.")),
        "format": lambda: _format_hint(wanted, error.instance),
    }
    make = sentences.get(str(error.validator))
    if make is not None:
        return make()
    return str(error.schema.get("x-hint", "Is not of a form this field accepts."))


def _format_hint(name: str, value: JsonValue) -> str:
    explain = FORMATS.get(name)
    hint = explain(value) if explain is not None and isinstance(value, str) else None
    return hint or f"Must be a {name}."


def _type_names(wanted: str | Sequence[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    return " or ".join(_TYPES.get(name, name) for name in names)


def _listed(choices: Sequence[JsonValue]) -> str:
    listed = ", ".join("empty" if choice == "" else str(choice) for choice in choices)
    return listed if len(choices) <= _SHOWN_CHOICES else "the listed values"


def _at_least(count: int, one: str, many: str = "") -> str:
    if count == 1:
        return "Must not be empty."
    return f"Give at least {count} {many or f'{one}s'}."
