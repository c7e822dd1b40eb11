"""Label sets as the bytes they came in: ``repeated prometheus.Label`` fields, tags included.

A store that has seen the bytes knows the series, so that nothing is decoded for it.
"""

from collections.abc import Hashable, Mapping

from detectviz.ingest.errors import MalformedError
from detectviz.ingest.wire import fields, text

LABELS_TAG = 0x0A
_FIRST, _SECOND = 0x0A, 0x12


def labels_of_raw(token: Hashable) -> Mapping[str, str]:
    """Return the labels that raw bytes stand for.

    Raise ValueError when names are empty, not sorted or there twice, as the remote write
    specification forbids; an empty value is the same as no label.
    """
    if not isinstance(token, bytes):
        raise TypeError(f"{token!r} is not bytes")
    labels: dict[str, str] = {}
    last = ""
    try:
        for name, value in pairs_of_raw(token):
            if not name:
                raise ValueError("a label name is empty")
            if name == last:
                raise ValueError(f"label {name!r} is there twice")
            if name < last:
                raise ValueError(f"labels are not sorted by name: {name!r} stands after {last!r}")
            last = name
            if value:
                labels[name] = value
    except MalformedError as error:
        raise ValueError(str(error)) from error
    return labels


def pairs_of_raw(data: bytes) -> list[tuple[str, str]]:
    """Return names and values in the order they came in; raise MalformedError."""
    found = []
    for tag, start, end in fields(data, 0, len(data)):
        if tag != LABELS_TAG:
            raise MalformedError("something else stands among the labels")
        found.append(label_of(data, start, end))
    return found


def label_of(data: bytes, start: int, end: int) -> tuple[str, str]:
    """Return name and value of one ``prometheus.Label``."""
    name = value = ""
    for tag, first, behind in fields(data, start, end):
        if tag == _FIRST:
            name = text(data, first, behind)
        elif tag == _SECOND:
            value = text(data, first, behind)
    return name, value


def is_label_list(data: bytes) -> bool:
    """Say whether the bytes are whole label fields and nothing else."""
    try:
        return all(tag == LABELS_TAG for tag, _, _ in fields(data, 0, len(data)))
    except MalformedError:
        return False


def raw_label(name: bytes, value: bytes) -> bytes:
    """Write one label as Prometheus' own encoder does."""
    content = _field(_FIRST, name) + _field(_SECOND, value)
    return bytes((LABELS_TAG,)) + raw_varint(len(content)) + content


def _field(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + raw_varint(len(content)) + content if content else b""


def raw_varint(number: int) -> bytes:
    """Write an unsigned number."""
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits to the byte
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
