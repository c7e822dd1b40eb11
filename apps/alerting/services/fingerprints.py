"""The identity of a label set, as Alertmanager computes it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

_OFFSET = 14695981039346656037
_PRIME = 1099511628211
_MASK = (1 << 64) - 1
_SEPARATOR = b"\xff"
_LONGEST_TOGETHER = 512  # bytes; longer ones would make the table of many wide


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return 16 hexadecimal digits, equal for equal label sets.

    FNV-1a over the sorted names and values, as ``model.LabelSet.Fingerprint`` of Prometheus'
    common library, so that ids match those of an Alertmanager beside us.
    """
    return _digest(tuple(sorted(labels.items())))


def fingerprints(label_sets: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the fingerprint of each; many at once cost a tenth of one after the other."""
    texts = [_text(sorted(labels.items())) for labels in label_sets]
    lengths = np.array([len(text) for text in texts])
    width = min(int(lengths.max(initial=0)), _LONGEST_TOGETHER)
    padded = b"".join(text[:width].ljust(width, b"\0") for text in texts)
    table = np.frombuffer(padded, dtype=np.uint8).reshape(len(texts), width)
    state = np.full(len(texts), _OFFSET, dtype=np.uint64)
    for place in range(width):
        mixed = (state ^ table[:, place]) * np.uint64(_PRIME)
        state = np.where(lengths > place, mixed, state)
    return [
        f"{each if len(text) <= width else _mixed(text):016x}"
        for each, text in zip(state.tolist(), texts, strict=True)
    ]


@lru_cache(maxsize=20_000)
def _digest(pairs: tuple[tuple[str, str], ...]) -> str:
    return f"{_mixed(_text(pairs)):016x}"


def _text(pairs: Sequence[tuple[str, str]]) -> bytes:
    return b"".join(
        _SEPARATOR.join((name.encode(), value.encode(errors="surrogateescape"), b""))
        for name, value in pairs
    )


def _mixed(text: bytes) -> int:
    state = _OFFSET
    for byte in text:
        state = ((state ^ byte) * _PRIME) & _MASK
    return state
