"""Copies of the embedded store."""

from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from detectviz.tsdb.interface import SeriesStore


@runtime_checkable
class _Copyable(Protocol):
    def snapshot(self, path: Path) -> None: ...


def snapshot_take(*, store: SeriesStore, folder: Path, now: datetime) -> str | None:
    """Copy the store into a new file below ``folder`` and return its name, while it is in use.

    None for a store that is no file of ours. Raise StoreError when the copy fails.
    """
    if not isinstance(store, _Copyable):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{now:%Y%m%dT%H%M%S%f}Z.sqlite"
    store.snapshot(folder / name)
    return name
