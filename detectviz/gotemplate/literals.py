"""What Go's quoted strings, characters and numbers mean."""

import re

_ESCAPE = re.compile(  # noqa: TID251 - our own constant, read at import
    r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.)|$)", re.DOTALL
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SIMPLE |= {"\\": "\\", "'": "'", '"': '"'}


def unquote(literal: str) -> str:
    """Return the meaning of a quoted string; raise ValueError for an escape Go does not know."""
    body = literal[1:-1]
    return body if literal[0] == "`" else _ESCAPE.sub(_unescape, body)


def _unescape(match: re.Match[str]) -> str:
    hexadecimal, octal, short, long, simple = match.groups()
    if simple is not None and simple in _SIMPLE:
        return _SIMPLE[simple]
    code = int(octal, 8) if octal else int(hexadecimal or short or long or "zz", 16)
    return chr(code)


def number(literal: str) -> int | float:
    """Return the value of a number; raise ValueError when it is none."""
    text = literal.replace("_", "")
    try:
        return int(text, 0)
    except ValueError:
        digits = text.lstrip("+-")
        if digits.isdigit():  # a leading zero is octal in Go
            return int(text, 8)
        return float(text)
