"""The two ways Alertmanager reads matchers: the classic one, and the newer for UTF-8 names.

Both are tried, as Alertmanager does by default: where only one can read a text, it is right; where
they disagree, the classic one is (matcher/compat/parse.go, pkg/labels/parse.go, matcher/parse).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

RESERVED = frozenset("{}!=~,\\\"'`")
_CLASSIC = re.compile(  # noqa: TID251 - our own constant
    r"^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*$",
    re.DOTALL,
)
_TOKEN = re.compile(  # noqa: TID251 - our own constant
    r"""\s*(?:(?P<mark>[{},])|(?P<op>=~|!~|!=|=)|(?P<quoted>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<plain>[^\s{}!=~,\\"'`]+))""",
    re.DOTALL,
)
_ESCAPE = re.compile(  # noqa: TID251 - our own constant
    r"""\\(?:(?P<one>[abfnrtv\\"])|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})"""
    r"""|U(?P<U>[0-9a-fA-F]{8})|(?P<octal>[0-3][0-7]{2}))"""
)
_ONE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LAST_CODE_POINT = 0x10FFFF


class MatcherSyntaxError(ValueError):
    """A text that neither way of reading understands."""


class Written(NamedTuple):
    """A matcher as read: label name, operator, value."""

    name: str
    op: str
    value: str


class _Token(NamedTuple):
    kind: str
    text: str


def read_one(text: str) -> Written:
    """Read one matcher, without braces."""
    if text.startswith("{") or text.endswith("}"):
        raise MatcherSyntaxError("one matcher has no braces")
    newer = _attempt_newer(text)
    if newer is not None and len(newer) != 1:
        newer = None
    try:
        classic = _classic(text)
    except MatcherSyntaxError:
        if newer is None:
            raise
        return newer[0]
    return classic


def read_many(text: str) -> list[Written]:
    """Read a comma-separated list, in braces or not; an empty one is allowed."""
    newer = _attempt_newer(text)
    try:
        return [_classic(part) for part in _classic_parts(text)]
    except MatcherSyntaxError:
        if newer is None:
            raise
        return newer


def quoted(name: str) -> str:
    """Return a label name as it is printed: quoted where the classic syntax can't write it."""
    if any(character in RESERVED or character.isspace() for character in name):
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return name


def _attempt_newer(text: str) -> list[Written] | None:
    try:
        return list(_newer(list(_tokens(text))))
    except MatcherSyntaxError:
        return None


def _newer(tokens: list[_Token]) -> Iterator[Written]:
    has_brace = bool(tokens) and tokens[0] == ("mark", "{")
    if has_brace != (bool(tokens) and tokens[-1] == ("mark", "}")):
        raise MatcherSyntaxError("a brace is missing")
    inner = tokens[1:-1] if has_brace else tokens
    at = 0
    while at < len(inner):
        triple = inner[at : at + 3]
        kinds = [token.kind for token in triple]
        if kinds not in (
            ["plain", "op", "plain"],
            ["plain", "op", "quoted"],
            ["quoted", "op", "plain"],
            ["quoted", "op", "quoted"],
        ):
            raise MatcherSyntaxError("write name, operator and value")
        yield Written(_text_of(triple[0]), triple[1].text, _text_of(triple[2]))
        at += 3
        if at < len(inner):
            if inner[at] != ("mark", ","):
                raise MatcherSyntaxError("matchers are separated by commas")
            at += 1


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise MatcherSyntaxError(f"can't read on from {text[at:].strip()[:20]!r}")
        yield _Token(found.lastgroup, found[found.lastgroup])
        at = found.end()


def _text_of(token: _Token) -> str:
    """Return a name or value; quoted ones are Go string literals."""
    if token.kind == "plain":
        return token.text
    inner, pieces, at = token.text[1:-1], list[str](), 0
    if "\n" in inner:
        raise MatcherSyntaxError("write a line break as \\n")
    while (slash := inner.find("\\", at)) >= 0:
        found = _ESCAPE.match(inner, slash)
        if found is None:
            raise MatcherSyntaxError(f"{inner[slash : slash + 2]!r} is no escape")
        pieces += [inner[at:slash], _character(found)]
        at = found.end()
    return "".join([*pieces, inner[at:]])


def _character(found: "re.Match[str]") -> str:
    if one := found["one"]:
        return _ONE.get(one, one)
    digits = found["x"] or found["u"] or found["U"]
    code = int(digits, 16) if digits else int(found["octal"], 8)
    if code > _LAST_CODE_POINT or 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - surrogates
        raise MatcherSyntaxError("an escape is no character")
    return chr(code)


def _classic_parts(text: str) -> list[str]:
    """Split at commas outside of quotes."""
    body = text.removeprefix("{").removesuffix("}")
    parts, part, is_quoted, is_escaped = list[str](), list[str](), False, False
    for character in body:
        if character == "," and not is_quoted:
            parts.append("".join(part))
            part = []
            continue
        if character == '"' and not is_escaped:
            is_quoted = not is_quoted
        is_escaped = character == "\\" and not is_escaped
        part.append(character)
    last = "".join(part)
    return [*parts, last] if last.strip() else parts


def _classic(text: str) -> Written:
    found = _CLASSIC.match(text)
    if found is None:
        raise MatcherSyntaxError("write name, operator and value")
    return Written(found[1], found[2], _classic_value(found[3]))


def _classic_value(raw: str) -> str:
    """Read a value with OpenMetrics' escapes; other backslashes stand for themselves."""
    is_quoted = raw.startswith('"')
    body = raw[1:] if is_quoted else raw
    pieces, is_escaped, is_closed = list[str](), False, False
    for at, character in enumerate(body):
        is_last = at == len(body) - 1
        if is_escaped:
            is_escaped = False
            known = {"n": "\n", '"': '"', "\\": "\\"}
            pieces.append(known.get(character, "\\" + character))
        elif character == "\\" and not is_last:
            is_escaped = True
        elif character == '"':
            if not (is_quoted and is_last):
                raise MatcherSyntaxError("a quote inside the value needs a backslash")
            is_closed = True
        else:
            pieces.append(character)
    if is_quoted and not is_closed:
        raise MatcherSyntaxError("the closing quote is missing")
    return "".join(pieces)
