"""The identity of a label set, as Alertmanager computes it."""

from collections.abc import Mapping
from functools import lru_cache

_OFFSET = 14695981039346656037
_PRIME = 1099511628211
_MASK = (1 << 64) - 1
_SEPARATOR = b"\xff"


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return 16 hexadecimal digits, equal for equal label sets.

    FNV-1a over the sorted names and values, as ``model.LabelSet.Fingerprint`` of Prometheus'
    common library, so that ids match those of an Alertmanager beside us.
    """
    return _digest(tuple(sorted(labels.items())))


@lru_cache(maxsize=20_000)
def _digest(pairs: tuple[tuple[str, str], ...]) -> str:
    state = _OFFSET
    for name, value in pairs:
        text = _SEPARATOR.join((name.encode(), value.encode(errors="surrogateescape"), b""))
        for byte in text:
            state = ((state ^ byte) * _PRIME) & _MASK
    return f"{state:016x}"
