"""What programs may do, remembered for two seconds: they ask the same many times a second.

Whatever changes users, groups, orgs or grants in this process ends it at once; a change made by
another process is noticed when the two seconds are over.
"""

import time
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from django.contrib.auth.models import Group
from django.db import models, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

REMEMBERED_S = 2.0
_MOST_ENTRIES = 10_000

V = TypeVar("V")
_memories: "list[Memory[Any]]" = []


class Memory(Generic[V]):
    """Values by key for two seconds. Safe for threads; a value may be computed twice."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._values: dict[Hashable, tuple[float, V]] = {}
        _memories.append(self)

    def get(self, key: Hashable) -> V | None:
        """Return what is remembered of ``key``."""
        found = self._values.get(key)
        return found[1] if found is not None and found[0] > self._clock() else None

    def put(self, key: Hashable, value: V) -> V:
        """Remember ``value``."""
        if len(self._values) >= _MOST_ENTRIES:
            self._values = {}
        self._values[key] = (self._clock() + REMEMBERED_S, value)
        return value

    def forget(self) -> None:
        """Forget everything."""
        self._values = {}


def access_changed() -> None:
    """Forget in this process what anyone may do, now and again when the transaction is over."""
    _forget_all()
    transaction.on_commit(_forget_all)


def watch(*changing: type[models.Model]) -> None:
    """Forget whenever a row of these models changes."""
    for model in changing:
        for signal in (post_save, post_delete):
            signal.connect(_on_change, sender=model)


def watch_groups() -> None:
    """Forget whenever a group or its members change."""
    watch(Group)
    m2m_changed.connect(_on_change)


def _on_change(**_: Any) -> None:
    access_changed()


def _forget_all() -> None:
    for memory in _memories:
        memory.forget()
