"""Caches: one verb, ``open``. What is in a cache may be gone at any moment; it is never the truth.

The host makes the keys (printable ASCII without spaces, at most 250 characters) and puts the org
into those of an org's data; it turns values into bytes, whole numbers into their decimal digits.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheContext:
    """Everything a connection may use. ``config`` has passed the schema, defaults filled."""

    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    logger: logging.Logger


class CacheConnection(Protocol):
    """An open cache, used by several threads at once.

    ``ttl_s`` is how long an entry is kept at most, in seconds; None is until it is pushed out.
    Every method raises PluginError when the cache does not answer.
    """

    def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return the entries that are there and have not expired."""

    def set(self, entries: Mapping[str, bytes], *, ttl_s: float | None) -> None:
        """Write entries, whether they were there or not."""

    def add(self, key: str, value: bytes, *, ttl_s: float | None) -> bool:
        """Write an entry unless it is there; of several callers at once one is told True."""

    def delete(self, keys: Sequence[str]) -> int:
        """Remove entries; return how many were there."""

    def incr(self, key: str, delta: int, *, ttl_s: float | None = None) -> int:
        """Add ``delta`` to a whole number in one step and return the sum.

        A missing one counts as 0. ``ttl_s`` begins anew; None leaves what an entry has. Raise
        PluginError when the entry is no number.
        """

    def clear(self) -> None:
        """Remove every entry of this cache, and nothing else that the server holds."""

    def close(self) -> None:
        """Let go of the cache."""


class Cache(Protocol):
    """A cache plugin's capability class; constructed once per process, without arguments."""

    def open(self, context: CacheContext) -> CacheConnection:
        """Connect; raise ConfigurationError or NetworkError within ``timeout_s``."""
