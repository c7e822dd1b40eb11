"""The functions Go's text/template brings along, but for ``and``, ``or`` and ``call``."""

from collections.abc import Mapping
from urllib.parse import quote_plus

from detectviz.gotemplate.errors import FunctionError
from detectviz.gotemplate.functions import Functions, as_text, as_whole
from detectviz.gotemplate.printf import sprintf
from detectviz.gotemplate.values import Value, is_true, to_text, type_name

_HTML = {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026"}
_JS |= {"=": "\\u003D"}


def _print(*values: Value) -> str:
    """Join as fmt.Sprint: a space between two values neither of which is text."""
    pieces: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            pieces.append(" ")
        pieces.append(to_text(value))
    return "".join(pieces)


def _println(*values: Value) -> str:
    return " ".join(map(to_text, values)) + "\n"


def _printf(template: Value, *values: Value) -> str:
    return sprintf(as_text(template), values)


def _html(*values: Value) -> str:
    return "".join(_HTML.get(character, character) for character in _print(*values))


def _js(*values: Value) -> str:
    return "".join(_js_character(character) for character in _print(*values))


def _js_character(character: str) -> str:
    if character in _JS:
        return _JS[character]
    return character if character.isprintable() else f"\\u{ord(character):04X}"


def _urlquery(*values: Value) -> str:
    return quote_plus(_print(*values))


def _len(value: Value) -> int:
    if isinstance(value, str):
        return len(value.encode(errors="surrogateescape"))
    if isinstance(value, Mapping | list | tuple):
        return len(value)
    raise FunctionError(f"len of type {type_name(value)}")


def _index(value: Value, *keys: Value) -> Value:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(as_text(key), "")
        elif isinstance(value, list | tuple):
            value = value[_within(as_whole(key), len(value) - 1)]
        elif isinstance(value, str):
            value = value.encode()[_within(as_whole(key), len(value.encode()) - 1)]
        else:
            raise FunctionError(f"can't index item of type {type_name(value)}")
    return value


def _slice(value: Value, *bounds: Value) -> Value:
    if not isinstance(value, str | list | tuple) or len(bounds) > 2:  # noqa: PLR2004 - from, to
        raise FunctionError(f"can't slice item of type {type_name(value)}")
    start, end = 0, len(value)
    if bounds:
        start = _within(as_whole(bounds[0]), len(value))
    if len(bounds) > 1:
        end = _within(as_whole(bounds[1]), len(value))
    if start > end:
        raise FunctionError(f"invalid slice index: {start} > {end}")
    return value[start:end]


def _within(index: int, largest: int) -> int:
    if not 0 <= index <= largest:
        raise FunctionError(f"index out of range: {index}")
    return index


def _not(value: Value) -> bool:
    return not is_true(value)


def _equal(left: Value, right: Value) -> bool:
    if left is None or right is None:
        return left is right
    if _kind(left) != _kind(right):
        raise FunctionError("incompatible types for comparison")
    return left == right


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    raise FunctionError("invalid type for comparison")


def _eq(left: Value, right: Value, *others: Value) -> bool:
    return any(_equal(left, other) for other in (right, *others))


def _ne(left: Value, right: Value) -> bool:
    return not _equal(left, right)


def _lt(left: Value, right: Value) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    if _kind(left) == _kind(right) == "number":
        assert isinstance(left, int | float)
        assert isinstance(right, int | float)
        return left < right
    raise FunctionError("incompatible types for comparison")


def _le(left: Value, right: Value) -> bool:
    return _lt(left, right) or _equal(left, right)


def _gt(left: Value, right: Value) -> bool:
    return _lt(right, left)


def _ge(left: Value, right: Value) -> bool:
    return _le(right, left)


GO_FUNCTIONS = Functions(
    plain={
        "eq": _eq,
        "ge": _ge,
        "gt": _gt,
        "html": _html,
        "index": _index,
        "js": _js,
        "le": _le,
        "len": _len,
        "lt": _lt,
        "ne": _ne,
        "not": _not,
        "print": _print,
        "printf": _printf,
        "println": _println,
        "slice": _slice,
        "urlquery": _urlquery,
    }
)
