"""The process's series store."""

import threading

from django.conf import settings

from apps.series.selectors.policies import tenant_policy
from detectviz.tsdb.interface import SeriesStore
from detectviz.tsdb.opening import open_store

_lock = threading.Lock()
_opened: list[SeriesStore] = []


def series_store() -> SeriesStore:
    """Return the store that ``DETECTVIZ_TSDB_URL`` names, opened at the first call.

    One per process, shared by its threads; call it after forking. Raise StoreError when it can't
    be opened (the next call tries again).
    """
    with _lock:
        if not _opened:
            _opened.append(
                open_store(settings.TSDB_URL, data_dir=settings.DATA_DIR, policy=tenant_policy)
            )
        return _opened[0]


def series_store_use(store: SeriesStore | None) -> None:
    """Put ``store`` in the place of the process's own; None closes and forgets what is there."""
    with _lock:
        if store is None:
            for opened in _opened:
                opened.close()
        _opened[:] = [] if store is None else [store]
