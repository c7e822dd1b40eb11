"""Go's fmt verbs, as far as templates can meet them."""

import re
from collections.abc import Sequence

from detectviz.gotemplate.errors import FunctionError
from detectviz.gotemplate.values import Value, format_float, format_special, to_text, type_name

_VERB = re.compile(  # noqa: TID251 - our own constant, read at import
    r"%(?P<flags>[-+# 0]*)(?P<width>\d+)?(?:\.(?P<precision>\d*))?(?P<verb>.?)", re.DOTALL
)
_LARGEST_WIDTH = 1000
_INTEGER_VERBS = {"d": "d", "x": "x", "X": "X", "o": "o", "b": "b"}


def sprintf(template: str, arguments: Sequence[Value]) -> str:
    """Return ``template`` with its verbs filled in; mistakes show in place, as Go shows them."""
    remaining = list(arguments)
    text = _VERB.sub(lambda match: _expanded(match, remaining), template)
    if remaining:
        extra = ", ".join(f"{type_name(item)}={to_text(item)}" for item in remaining)
        text += f"%!(EXTRA {extra})"
    return text


def _expanded(match: re.Match[str], remaining: list[Value]) -> str:
    verb = match["verb"]
    if verb == "%":
        return "%"
    if not verb:
        return "%!(NOVERB)"
    if not remaining:
        return f"%!{verb}(MISSING)"
    width = int(match["width"] or 0)
    precision = int(match["precision"] or 0) if match["precision"] is not None else None
    if max(width, precision or 0) > _LARGEST_WIDTH:
        raise FunctionError(f"a width or precision above {_LARGEST_WIDTH} is refused")
    value = remaining.pop(0)
    flags = match["flags"]
    text = _formatted(value, verb, flags, precision)
    if text is None:
        shown = "<nil>" if value is None else f"{type_name(value)}={to_text(value)}"
        return f"%!{verb}({shown})"
    return _padded(text, width, flags, is_number=isinstance(value, int | float))


def _padded(text: str, width: int, flags: str, *, is_number: bool) -> str:
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and is_number and text[-1:].isalnum() and text[-1:] not in {"f", "N"}:
        return text.zfill(width)
    return text.rjust(width)


def _formatted(value: Value, verb: str, flags: str, precision: int | None) -> str | None:
    if verb == "v":
        return _default(value, flags, precision)
    if verb == "T":
        return type_name(value)
    if isinstance(value, bool):
        return to_text(value) if verb == "t" else None
    if isinstance(value, int):
        return _integer(value, verb, flags)
    if isinstance(value, float):
        return _float(value, verb, flags, precision)
    if verb in {"s", "q", "x"} and isinstance(value, str):
        return _text(value, verb, precision)
    if verb == "s" and value is not None:
        return to_text(value)
    return None


def _default(value: Value, flags: str, precision: int | None) -> str | None:
    if isinstance(value, float) and type(value) is float:
        return _float(value, "g", flags, precision)
    return to_text(value)


def _text(value: str, verb: str, precision: int | None) -> str:
    shown = value if precision is None else value[:precision]
    if verb == "x":
        return shown.encode(errors="surrogateescape").hex()
    if verb == "s":
        return shown
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("\t", "\\t").replace("\r", "\\r") + '"'


def _integer(value: int, verb: str, flags: str) -> str | None:
    if verb == "c":
        return chr(value) if 0 <= value <= 0x10FFFF else "\ufffd"  # noqa: PLR2004 - last rune
    if verb == "U":
        return f"U+{value:04X}"
    if verb not in _INTEGER_VERBS:
        return None
    sign = "+" if "+" in flags else (" " if " " in flags else "")
    alternate = "#" if "#" in flags else ""
    return format(value, f"{sign}{alternate}{_INTEGER_VERBS[verb]}")


def _float(value: float, verb: str, flags: str, precision: int | None) -> str | None:
    if verb.lower() not in {"e", "f", "g"}:
        return None
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN test
        return format_special(value)
    sign = "+" if "+" in flags else (" " if " " in flags else "")
    if verb == "g" and precision is None:
        text = format_float(value)
        return text if text.startswith("-") else sign + text
    digits = 6 if precision is None else precision
    return format(value, f"{sign}.{digits}{verb}")
