"""The form of a configuration, described without HTML; made from the schema alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.explain import pointer
from detectviz.pluginhost.schema import is_secret, properties_of

FieldType = Literal[
    "text",
    "number",
    "checkbox",
    "select",
    "list",
    "map",
    "textarea",
    "secret",
    "object-group",
]
_LAST = 10_000
_MULTILINE = ("textarea", "code")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One entry of a select."""

    value: JsonValue
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field of a form.

    ``name`` is the path without the leading slash (``auth/password``): the name of the HTML input
    and of the secret. ``fields`` are the inner fields of an object-group; ``item`` describes one
    entry of a list, its path ending in ``-``. ``show_if`` maps the names of other fields to the
    values with which this one is shown. ``suggestions`` complete a text that may be another. A
    secret too can be ``is_multiline`` (a private key).
    """

    pointer: str
    name: str
    label: str
    type: FieldType
    help: str = ""
    default: JsonValue = None
    choices: tuple[Choice, ...] = ()
    required: bool = False
    placeholder: str = ""
    show_if: Mapping[str, tuple[JsonValue, ...]] = field(default_factory=dict)
    group: str = ""
    order: int = _LAST
    fields: tuple["FormField", ...] = ()
    item: "FormField | None" = None
    minimum: float | None = None
    maximum: float | None = None
    is_integer: bool = False
    is_multiple: bool = False
    is_code: bool = False
    is_multiline: bool = False
    is_nullable: bool = False
    format: str = ""
    suggestions: tuple[str, ...] = ()


def form_fields(schema: JsonObject, path: tuple[str, ...] = ()) -> tuple[FormField, ...]:
    """Return the fields for an object schema, by ``x-order`` and then as written."""
    required = _texts(schema.get("required"))
    fields = [
        _field(described, (*path, name), is_required=name in required)
        for name, described in properties_of(schema).items()
    ]
    return tuple(sorted(fields, key=lambda each: each.order))


def _field(described: JsonObject, path: tuple[str, ...], *, is_required: bool) -> FormField:
    field_type = _field_type(described)
    items = described.get("items")
    entry = items if isinstance(items, Mapping) else {}
    order = described.get("x-order")
    return FormField(
        pointer=pointer(path),
        name="/".join(path),
        label=_text(described, "title") or path[-1],
        type=field_type,
        help=_text(described, "description"),
        default=described.get("default"),
        choices=_choices(described) or (_choices(entry) if field_type == "select" else ()),
        required=is_required,
        placeholder=_text(described, "x-placeholder"),
        show_if=_show_if(described, path),
        group=_text(described, "x-group"),
        order=order if isinstance(order, int) else _LAST,
        fields=form_fields(described, path) if field_type == "object-group" else (),
        item=_field(entry, (*path, "-"), is_required=True) if field_type == "list" else None,
        minimum=_number(described, "minimum", "exclusiveMinimum"),
        maximum=_number(described, "maximum", "exclusiveMaximum"),
        is_integer=_base_type(described) == "integer",
        is_multiple=field_type == "select" and _base_type(described) == "array",
        is_code=described.get("x-widget") == "code",
        is_multiline=described.get("x-widget") in _MULTILINE,
        is_nullable="null" in _texts(described.get("type")),
        format=_text(described, "format"),
        suggestions=_texts(described.get("x-suggestions")),
    )


def _field_type(described: JsonObject) -> FieldType:
    base = _base_type(described)
    if is_secret(described):
        return "secret"
    if base == "object":
        return "object-group" if "properties" in described else "map"
    if base == "array":
        items = described.get("items")
        return "select" if isinstance(items, Mapping) and "enum" in items else "list"
    if "enum" in described:
        return "select"
    if base == "boolean":
        return "checkbox"
    if base in {"integer", "number"}:
        return "number"
    return "textarea" if described.get("x-widget") in _MULTILINE else "text"


def _base_type(described: JsonObject) -> str:
    named = described.get("type")
    if isinstance(named, str):
        return named
    return next((name for name in _texts(named) if name != "null"), "string")


def _choices(described: JsonObject) -> tuple[Choice, ...]:
    values = described.get("enum")
    labels = described.get("x-labels")
    named = labels if isinstance(labels, Mapping) else {}
    if not isinstance(values, (list, tuple)):
        return ()
    return tuple(
        Choice(value=value, label=str(named.get(str(value), value or "none"))) for value in values
    )


def _show_if(described: JsonObject, path: tuple[str, ...]) -> dict[str, tuple[JsonValue, ...]]:
    wanted = described.get("x-show-if")
    if not isinstance(wanted, Mapping):
        return {}
    return {
        "/".join((*path[:-1], name)): tuple(value) if isinstance(value, list) else (value,)
        for name, value in wanted.items()
    }


def _number(described: JsonObject, *names: str) -> float | None:
    values = [described.get(name) for name in names]
    return next((value for value in values if isinstance(value, (int, float))), None)


def _text(described: JsonObject, name: str) -> str:
    value = described.get(name)
    return value if isinstance(value, str) else str(value) if value is not None else ""


def _texts(value: JsonValue) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(each for each in value if isinstance(each, str))
