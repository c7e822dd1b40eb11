"""Refusals: what a plugin wanted and was not granted. Counted, logged, and told to the audit.

Telling happens in a thread of its own, so that refusing costs a plugin's caller nothing; a plugin
that asks again and again is told of once a minute for each thing it wants.
"""

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

from detectviz.contracts.types import PluginKind

EVERY_S: Final = 60.0
_MOST_KEYS: Final = 1_000
_MOST_WAITING: Final = 100
_MOST_TEXT: Final = 200

refusals_total = Counter(
    "detectviz_plugin_refusals",
    "What plugins wanted and were not granted, by permission.",
    ["kind", "plugin", "permission"],
)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One thing refused. ``permission`` is the manifest's word, ``wanted`` what was asked for."""

    kind: PluginKind
    plugin: str
    permission: str
    wanted: str
    org: str = ""


Listener = Callable[[Refusal], None]


class RefusalLedger:
    """Counts every refusal and passes on those that are news."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: OrderedDict[tuple[str, ...], float] = OrderedDict()
        self._listeners: list[Listener] = []
        self._waiting: queue.Queue[Refusal] = queue.Queue(_MOST_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def listen(self, listener: Listener) -> None:
        """Have ``listener`` told of refusals, in the ledger's thread."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def record(self, refusal: Refusal) -> None:
        """Count ``refusal``; log it and tell of it unless that was done a moment ago."""
        kind = refusal.kind.value
        refusals_total.labels(kind, refusal.plugin, refusal.permission).inc()
        if not self._is_news(refusal):
            return
        logger.warning(
            "plugin %s/%s was refused %s %r",
            kind,
            refusal.plugin,
            refusal.permission,
            refusal.wanted[:_MOST_TEXT],
        )
        if self._listeners:
            self._tell(refusal)

    def drain(self) -> None:
        """Wait until everybody has been told; for tests and the end of a process."""
        if self._thread is not None and self._thread.is_alive():
            self._waiting.join()

    def _is_news(self, refusal: Refusal) -> bool:
        key = (refusal.kind.value, refusal.plugin, refusal.permission, refusal.wanted, refusal.org)
        now = self._clock()
        with self._lock:
            last = self._told.get(key)
            if last is not None and now - last < EVERY_S:
                return False
            self._told[key] = now
            self._told.move_to_end(key)
            if len(self._told) > _MOST_KEYS:
                self._told.popitem(last=False)
        return True

    def _tell(self, refusal: Refusal) -> None:
        with self._lock:
            # A forked process has the object and not the thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(refusal)
        except queue.Full:
            logger.warning("too many refusals at once; one is in the log only")

    def _run(self) -> None:
        while True:
            refusal = self._waiting.get()
            try:
                for listener in self._listeners:
                    listener(refusal)
            except Exception:
                logger.exception("a refusal could not be told")
            finally:
                self._waiting.task_done()


ledger = RefusalLedger()
