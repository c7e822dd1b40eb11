r"""A series as text: ``name{label="value"}`` or, for any UTF-8 name, ``{"name",label="value"}``.

Source: Prometheus' text format 0.0.4, OpenMetrics 1.0 and Prometheus' quoted UTF-8 names. In
values ``\\``, ``\"`` and ``\n`` are escapes; another escape stands for itself, as in Prometheus.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Final

from detectviz.contracts.exposition.result import ExpositionError

METRIC_NAME: Final = "__name__"

# Possessive everywhere: a body of a stranger can't make these take more than one pass.
SERIES: Final = re.compile(  # noqa: TID251 - our own constant, on bytes
    rb'[a-zA-Z_:][a-zA-Z0-9_:]*+[ \t]*+(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*+")*+\})?+'
    rb'|\{(?:[^"}]|"(?:[^"\\]|\\.)*+")*+\}',
    re.DOTALL,
)
_NAME: Final = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*+")  # noqa: TID251 - our own constant
_LABEL: Final = re.compile(  # noqa: TID251 - our own constant
    rb'[ \t]*+(?:([a-zA-Z_][a-zA-Z0-9_]*+)|"((?:[^"\\\n]|\\.)*+)")[ \t]*+'
    rb'(=[ \t]*+"((?:[^"\\\n]|\\.)*+)"[ \t]*+)?+'
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)  # noqa: TID251 - our own constant
_PLAIN_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")  # noqa: TID251 - our own constant
_PLAIN_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")  # noqa: TID251 - our own constant


def labels_of(token: Hashable) -> dict[str, str]:
    """Return the labels of a token, ``__name__`` among them; raise ExpositionError if it has none.

    A label with an empty value is left out: it means no label.
    """
    if not isinstance(token, bytes):
        raise ExpositionError("A series is named by bytes.")
    return _read(token.rstrip(b" \t"))


def token_of(labels: Mapping[str, str]) -> bytes:
    """Return a token that ``labels_of`` turns back; equal labels give equal tokens."""
    name = labels.get(METRIC_NAME, "")
    plain = _PLAIN_NAME.fullmatch(name) is not None
    parts = [] if plain or not name else [_quoted(name)]
    parts += [
        f"{_label_name(key)}={_quoted(text)}"
        for key, text in sorted(labels.items())
        if key != METRIC_NAME and text
    ]
    inner = ",".join(parts)
    return f"{name if plain else ''}{{{inner}}} ".encode("utf-8", "replace")


def label_pairs(text: bytes, start: int) -> Iterator[tuple[str | None, str]]:
    """Yield the labels after the brace at ``start`` of ``text``, which end with its last byte.

    A quoted name alone comes with None. Raise ExpositionError with the column in ``text``.
    """
    place, end = start + 1, len(text) - 1
    while text[place:end].strip(b" \t"):
        found = _LABEL.match(text, place, end)
        if found is None:
            raise ExpositionError("expected a label name", line=1, column=place + 1)
        plain, quoted, has_value, value = found.groups()
        if not has_value and quoted is None:
            raise ExpositionError(
                "expected = and a value in double quotes", line=1, column=found.end() + 1
            )
        name = _unescape(plain if quoted is None else quoted, place)
        if has_value:
            yield name, _unescape(value, found.start(4))
        else:
            yield None, name
        place = found.end()
        if text[place:end].strip(b" \t"):
            if text[place : place + 1] != b",":
                raise ExpositionError("expected , or }", line=1, column=place + 1)
            place += 1


def _read(text: bytes) -> dict[str, str]:
    matched = _NAME.match(text)
    name = matched.group().decode() if matched else ""
    brace = text.find(b"{")
    labels: dict[str, str] = {}
    seen: set[str] = set()
    if brace >= 0:
        if not text.endswith(b"}"):
            raise ExpositionError("expected }", line=1, column=len(text) + 1)
        for key, value in label_pairs(text, brace):
            if key is None:
                if name:
                    raise ExpositionError(f"a second metric name {value!r}", line=1, column=brace)
                name = value
                continue
            if key in seen:
                raise ExpositionError(f"label {key} is there twice", line=1, column=brace + 1)
            seen.add(key)
            if value:
                labels[key] = value
    if not name and METRIC_NAME not in labels:
        raise ExpositionError("expected a metric name", line=1, column=1)
    if name and METRIC_NAME in labels:
        raise ExpositionError(f"{METRIC_NAME} names the metric twice", line=1, column=brace + 1)
    return {METRIC_NAME: name, **labels} if name else labels


def _unescape(raw: bytes, place: int) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ExpositionError("not UTF-8", line=1, column=place + error.start + 1) from error
    return unescape(text) if "\\" in text else text


def unescape(text: str) -> str:
    r"""Return ``text`` with ``\\``, ``\"`` and ``\n`` resolved."""
    return _ESCAPE.sub(_resolve, text)


def _resolve(found: "re.Match[str]") -> str:
    letter = found.group(1)
    if letter == "n":
        return "\n"
    return letter if letter in '\\"' else found.group()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _label_name(name: str) -> str:
    return name if _PLAIN_LABEL.fullmatch(name) else _quoted(name)
