"""String literals: Go's escapes in both directions."""

import re

_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34}
_NAMES = {code: letter for letter, code in _SIMPLE.items() if letter != "'"}
_ESCAPE = re.compile(  # noqa: TID251 - our own constant, read at import
    r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_LARGEST_BYTE = 0xFF
_LARGEST_RUNE = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def unquote(literal: str) -> str:
    r"""Return what a quoted literal means.

    Bytes that are no UTF-8 (``"\xc5"``) become lone surrogates (PEP 383), so that Go's byte
    strings survive. Raise ValueError for escapes Go does not know.
    """
    body = literal[1:-1]
    if literal[0] == "`":
        return body.replace("\r", "")
    if "\\" not in body:
        return body
    pieces: list[bytes] = []
    position = 0
    for match in _ESCAPE.finditer(body):
        pieces.append(body[position : match.start()].encode("utf-8", "surrogateescape"))
        pieces.append(_escaped_bytes(match, literal[0]))
        position = match.end()
    pieces.append(body[position:].encode("utf-8", "surrogateescape"))
    return b"".join(pieces).decode("utf-8", "surrogateescape")


def _escaped_bytes(match: re.Match[str], quote_mark: str) -> bytes:
    hexadecimal, octal, short, long, simple = match.groups()
    if simple is not None:
        other_quote = simple in "'\"" and simple != quote_mark
        if simple not in _SIMPLE or other_quote:
            raise ValueError(f"unknown escape sequence {match.group()!r}")
        return bytes([_SIMPLE[simple]])
    if short or long:
        rune = int(short or long, 16)
        if rune > _LARGEST_RUNE or rune in _SURROGATES:
            raise ValueError("escape sequence is an invalid Unicode code point")
        return chr(rune).encode()
    byte = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
    if byte > _LARGEST_BYTE:
        raise ValueError(f"escape sequence {match.group()!r} is larger than a byte")
    return bytes([byte])


def quote(text: str) -> str:
    """Return ``text`` as a double-quoted literal that ``unquote`` reads back."""
    return '"' + "".join(_quoted_character(character) for character in text) + '"'


def _quoted_character(character: str) -> str:
    code = ord(character)
    if code in _NAMES:
        return "\\" + _NAMES[code]
    if character.isprintable():
        return character
    if code < ord(" ") or code in _SURROGATES:
        raw = character.encode("utf-8", "surrogateescape")
        return "".join(f"\\x{byte:02x}" for byte in raw)
    return f"\\u{code:04x}" if code <= ord("\uffff") else f"\\U{code:08x}"
