"""Sends what waits in the queue: one process of a data directory at a time, in order per tenant."""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from detectviz.tsdb.backend_http import BackendError
from detectviz.tsdb.interface import StoreError
from detectviz.tsdb.remote_write import compressed
from detectviz.tsdb.sending.backend import Backend
from detectviz.tsdb.sending.bisecting import send_what_is_taken
from detectviz.tsdb.sending.dead_letters import DeadLetters
from detectviz.tsdb.sending.file import QueueFile, StoredLot
from detectviz.tsdb.sending.lots import DamagedLotError, Lot, decode_lot

logger = logging.getLogger(__name__)

IDLE_S = 0.25
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_LONGEST_ORDERED_PAUSE_S = 300.0  # however long a Retry-After asks for
_SWEEP_S = 1.0
_TIDY_S = 600.0
_BYTES_AT_ONCE = 4 << 20
_SAMPLES_PER_REQUEST = 20_000
_EVERYBODY = ""  # no tenant's name


@dataclass(slots=True)
class _Pause:
    """How long not to send, longer after every failure."""

    length_s: float = 0.0
    until: float = 0.0


@dataclass(slots=True)
class Sender:
    """Moves lots from the file to the backend. ``step`` is called under the lock ``send``.

    What fails for one tenant (429, 5xx) pauses that tenant; no answer at all pauses everybody.
    """

    file: QueueFile
    backend: Backend
    dead_letters: DeadLetters
    clock: Callable[[], float] = time.monotonic
    last_error: str = ""
    _pauses: dict[str, _Pause] = field(default_factory=dict)
    _generation: int | None = None
    _sweep_at: float = 0.0
    _tidy_at: float = 0.0

    def step(self) -> bool:
        """Send one round of what waits; return whether there may be more to do at once.

        Raises:
            StoreError: the queue's file can't be used.

        """
        now = self.clock()
        if self.backend.settles_after_s and now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_S
            self._sweep()
        if now >= self._tidy_at:
            self._tidy_at = now + _TIDY_S
            self.file.tidy()
        paused = [name for name, pause in self._pauses.items() if pause.until > now]
        if _EVERYBODY in paused:
            return False
        lots = self.file.waiting(without=paused, max_bytes=_BYTES_AT_ONCE)
        by_tenant: dict[str, list[StoredLot]] = {}
        for lot in lots:
            by_tenant.setdefault(lot.tenant, []).append(lot)
        sent = [self._send_tenant(*item) for item in by_tenant.items()]
        return any(sent)

    def take_over(self) -> None:
        """Begin after another process, which may have died before what it sent was safe."""
        self._generation = None
        if self.file.unsend():
            logger.info("samples sent by another process a moment ago are sent again")

    def _send_tenant(self, tenant: str, lots: Sequence[StoredLot]) -> bool:
        for stored in _requests(lots):
            try:
                dead = self._send(tenant, stored)
            except StoreError as error:
                self._pause(tenant, error)
                return False
            self._pauses.pop(tenant, None)
            self._pauses.pop(_EVERYBODY, None)
            self.last_error = ""
            self.file.mark_sent(stored, dead=dead, keep=self.backend.settles_after_s > 0)
        return True

    def _send(self, tenant: str, stored: Sequence[StoredLot]) -> int:
        """Send lots as one request; return how many samples were refused for good."""
        lots = _readable(stored)
        dead = sum(lot.samples for lot in stored) - sum(map(len, lots))

        def send(part: Sequence[Lot]) -> None:
            body = compressed([one for lot in part for one in lot.messages()])
            self._noted(self.backend.write(tenant, body))

        def bury(part: Sequence[Lot], reason: str) -> None:
            nonlocal dead
            dead += self.dead_letters.add(tenant, reason, part)

        if not lots:
            return dead
        try:
            send(lots)
        except BackendError as error:
            if not error.is_about_data:
                raise
            send_what_is_taken(lots, error, send=send, bury=bury)
        return dead

    def _noted(self, generation: int) -> None:
        """Send again what was sent shortly before, if the server may have restarted since."""
        if self._generation not in {None, generation} and self.file.unsend():
            logger.info(
                "the connection to the backend is new: samples sent shortly before go again"
            )
        self._generation = generation

    def _sweep(self) -> None:
        """Forget what was sent long enough ago, if the server has lived since."""
        old = self.file.expired(self.backend.settles_after_s)
        if not old:
            return
        before = self._generation
        try:
            self._noted(self.backend.write(_EVERYBODY, compressed(())))
        except StoreError as error:
            self.last_error = str(error)
            return
        if self._generation == before:
            self.file.forget(old)

    def _pause(self, tenant: str, error: StoreError) -> None:
        self.last_error = str(error)
        self.file.count(retried=1)
        name = tenant if isinstance(error, BackendError) else _EVERYBODY
        pause = self._pauses.setdefault(name, _Pause())
        pause.length_s = min(max(pause.length_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        ordered_s = min(getattr(error, "retry_after_s", 0.0), _LONGEST_ORDERED_PAUSE_S)
        wait_s = max(pause.length_s * random.uniform(0.75, 1.0), ordered_s)  # noqa: S311 - no secret
        pause.until = self.clock() + wait_s
        if pause.length_s == _FIRST_PAUSE_S:
            logger.warning("samples wait in the queue: %s", error)


class SenderThread:
    """Runs a sender while this process holds the lock; waits for its turn otherwise."""

    def __init__(self, sender: Sender, file: QueueFile) -> None:
        self._sender, self._file = sender, file
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="series-sender", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something was added."""
        self._wake.set()

    def stop(self, deadline_s: float) -> None:
        """Finish the request under way; what still waits is sent by whoever comes next."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(deadline_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._file.claimed("sender") as mine:
                    if mine:
                        self._send()
            except StoreError as error:
                logger.warning("the queue of samples can't be used: %s", error)
            self._stopping.wait(1.0)

    def _send(self) -> None:
        self._sender.take_over()
        while not self._stopping.is_set():
            self._wake.clear()
            with self._file.claimed("step", wait=True):
                is_busy = self._sender.step()
            if not is_busy:
                self._wake.wait(IDLE_S)


def _requests(lots: Sequence[StoredLot]) -> list[list[StoredLot]]:
    """Join neighbours into requests of a size that any server takes."""
    total = 0
    places = []
    for lot in lots:
        total += lot.samples
        places.append((total - 1) // _SAMPLES_PER_REQUEST)
    pairs = zip(places, lots, strict=True)
    return [[lot for _, lot in group] for _, group in groupby(pairs, key=lambda pair: pair[0])]


def _readable(stored: Sequence[StoredLot]) -> list[Lot]:
    found = []
    for row in stored:
        try:
            found.append(decode_lot(row.data))
        except DamagedLotError as error:
            logger.error("%d samples of the queue are damaged: %s", row.samples, error)  # noqa: TRY400 - the sentence says it all
    return found
