"""The way back: from a submitted form to the document its fields describe."""

from collections.abc import Iterable

from django.http import QueryDict

from detectviz.contracts.types import JsonValue
from detectviz.pluginhost.forms import FormField

PRESENT = "~"  # a hidden input of this prefix says that an empty checkbox or list was shown
_MOST_ROWS = 500


def parse_form(fields: Iterable[FormField], data: QueryDict) -> dict[str, JsonValue]:
    """Return the document of the submitted ``data``; ``config/url`` lies in its ``config``.

    Fields that were hidden (not submitted) and empty optional ones are left out, so that schema
    defaults apply; text that is no number stays text, so that validation can name the field.
    """
    document: dict[str, JsonValue] = {}
    for described in fields:
        *parents, key = described.name.split("/")
        place = document
        for parent in parents:
            inner = place.setdefault(parent, {})
            assert isinstance(inner, dict)
            place = inner
        _put(place, key, _parse(described, data, described.name))
    return document


def _parse_group(fields: Iterable[FormField], data: QueryDict, prefix: str) -> dict[str, JsonValue]:
    group: dict[str, JsonValue] = {}
    for described in fields:
        key = described.name.rpartition("/")[2]
        _put(group, key, _parse(described, data, f"{prefix}{key}"))
    return group


def _put(place: dict[str, JsonValue], key: str, parsed: tuple[bool, JsonValue]) -> None:
    found, value = parsed
    if found:
        place[key] = value


def _parse(described: FormField, data: QueryDict, name: str) -> tuple[bool, JsonValue]:
    if described.type == "object-group":
        inner = _parse_group(described.fields, data, f"{name}/")
        return bool(inner), inner
    if described.type == "checkbox":
        return f"{PRESENT}{name}" in data, name in data
    if described.type == "map":
        return f"{PRESENT}{name}" in data, _parse_map(data, name)
    if described.type == "list":
        return _parse_list(described, data, name)
    if described.type == "select" and described.is_multiple:
        taken = data.getlist(name)
        values = [choice.value for choice in described.choices if str(choice.value) in taken]
        return f"{PRESENT}{name}" in data, values
    return _parse_scalar(described, data.get(name, ""))


def _parse_scalar(described: FormField, text: str) -> tuple[bool, JsonValue]:
    if described.type not in {"textarea", "secret"}:
        text = text.strip()
    if not text:
        return False, None
    if described.type == "number":
        return True, _number(text, is_integer=described.is_integer)
    if described.type == "select":
        known = {str(choice.value): choice.value for choice in described.choices}
        return True, known.get(text, text)
    return True, text.replace("\r\n", "\n")


def _parse_list(described: FormField, data: QueryDict, name: str) -> tuple[bool, JsonValue]:
    item = described.item
    if item is not None and item.type == "object-group":
        rows = [_parse_group(item.fields, data, f"{name}/{row}/") for row in _row_keys(data, name)]
        return f"{PRESENT}{name}" in data, rows
    lines = [line.strip() for line in data.get(name, "").splitlines()]
    values = [_parse_scalar(item, line)[1] if item else line for line in lines if line]
    return name in data, values


def _parse_map(data: QueryDict, name: str) -> dict[str, JsonValue]:
    pairs = (
        (data.get(f"{name}/{row}/key", "").strip(), data.get(f"{name}/{row}/value", "").strip())
        for row in _row_keys(data, name)
    )
    return {key: value for key, value in pairs if key or value}


def _row_keys(data: QueryDict, name: str) -> list[int]:
    start = f"{name}/"
    keys = {key[len(start) :].partition("/")[0] for key in data if key.startswith(start)}
    return sorted(int(key) for key in keys if key.isdecimal())[:_MOST_ROWS]


def _number(text: str, *, is_integer: bool) -> JsonValue:
    try:
        return int(text) if is_integer else float(text)
    except ValueError:
        return text
