"""Where things stand in a query."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A half-open range of UTF-8 byte offsets."""

    start: int
    end: int


def line_column(query: str, offset: int) -> tuple[int, int]:
    """Return the one-based line and byte column of a UTF-8 byte offset."""
    before = query.encode("utf-8", "surrogateescape")[:offset]
    return before.count(b"\n") + 1, offset - (before.rfind(b"\n") + 1) + 1


def byte_offsets(query: str) -> list[int] | None:
    """Map character indices to byte offsets; None when they are the same (ASCII)."""
    if query.isascii():
        return None
    offsets = [0]
    for character in query:
        offsets.append(offsets[-1] + len(character.encode("utf-8", "surrogateescape")))
    return offsets
