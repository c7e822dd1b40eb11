"""A run: one thread for each stage, bounded buffers between, and an account of what is stored."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from detectviz.contracts.batches import Batch, WriteReport
from detectviz.contracts.errors import PluginError
from detectviz.contracts.records import Record, RecordError
from detectviz.contracts.types import JsonObject
from detectviz.pipeline.buffers import Buffer, StoppedError
from detectviz.pipeline.stages import Package, Sink, Source, StageCounters, Step

RunState = Literal["done", "failed", "cancelled"]

_LOOK_S: Final = 0.2
_ERRORS_KEPT: Final = 100

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run.

    A write that fails for now is tried ``attempts`` times in all, after pauses that double from
    ``pause_s`` to ``longest_pause_s``. More than ``most_errors`` wrong records end the run.
    """

    buffer_batches: int = 8
    attempts: int = 5
    pause_s: float = 0.5
    longest_pause_s: float = 30.0
    most_errors: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands. ``cursor`` is where to go on: all before it is written everywhere.

    ``errors`` are the first wrong records; ``failed`` counts all of them.
    """

    read: int
    written: int
    failed: int
    total: int | None
    cursor: JsonObject
    stages: tuple[StageCounters, ...]
    errors: tuple[RecordError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, and ``reason`` in words for the operator when it is not done."""

    state: RunState
    reason: str
    progress: Progress


class TooManyErrorsError(PluginError):
    """More records are wrong than the run may leave out."""


@dataclass(slots=True, kw_only=True)
class Run:
    """Moves all records of a source through the steps into every sink.

    Written at least once: a run that goes on after a crash begins at the last cursor stored, and
    writes again what was under way then. A batch's id is made of ``name`` and the cursor before
    it, so it is the same again. What a step gathers in a window is not part of the cursor.
    """

    name: str
    source: Source
    steps: Sequence[Step]
    sinks: Sequence[Sink]
    options: RunOptions = field(default_factory=RunOptions)
    cursor: JsonObject = field(default_factory=dict)
    is_cancelled: Callable[[], bool] = lambda: False
    _stopping: threading.Event = field(default_factory=threading.Event)
    _news: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failure: BaseException | None = None
    _errors: list[RecordError] = field(default_factory=list)
    _failed: int = 0
    _total: int | None = None
    _stored: JsonObject = field(default_factory=dict)
    _cursors: dict[int, JsonObject] = field(default_factory=dict)
    _written_until: list[int] = field(default_factory=list)
    _reading: StageCounters = field(init=False)
    _stepping: list[StageCounters] = field(init=False)
    _writing: list[StageCounters] = field(init=False)

    def __post_init__(self) -> None:
        self._stored = self.cursor
        self._reading = StageCounters(name=self.source.name)
        self._stepping = [StageCounters(name=step.name) for step in self.steps]
        self._writing = [StageCounters(name=sink.name) for sink in self.sinks]
        self._written_until = [0] * len(self.sinks)

    def run(self, on_progress: Callable[[Progress], None] = lambda _: None) -> Outcome:
        """Run to the end. ``on_progress`` is called in this thread, five times a second at most."""
        read: Buffer[Package] = Buffer(self.options.buffer_batches)
        outs: list[Buffer[Package]] = [Buffer(self.options.buffer_batches) for _ in self.sinks]
        work = [
            lambda: self._read(read),
            lambda: self._process(read, outs),
            *(
                (lambda place=place: self._write(outs[place], place))
                for place in range(len(self.sinks))
            ),
        ]
        threads = [
            threading.Thread(target=self._guarded, args=(part,), name=self.name, daemon=True)
            for part in work
        ]
        for thread in threads:
            thread.start()
        self._watch(threads, [read, *outs], on_progress)
        progress = self.progress()
        on_progress(progress)
        return self._outcome(progress)

    def progress(self) -> Progress:
        """Return where the run stands."""
        with self._lock:
            return Progress(
                read=self._reading.records_out,
                written=min((stage.records_out for stage in self._writing), default=0),
                failed=self._failed,
                total=self._total,
                cursor=self._stored,
                stages=(self._reading, *self._stepping, *self._writing),
                errors=tuple(self._errors),
            )

    def _watch(
        self,
        threads: list[threading.Thread],
        buffers: Sequence[Buffer[Package]],
        on_progress: Callable[[Progress], None],
    ) -> None:
        while any(thread.is_alive() for thread in threads):
            self._news.wait(_LOOK_S)
            self._news.clear()
            if self._failure is None and self.is_cancelled():
                self._stopping.set()
            if self._stopping.is_set():
                for buffer in buffers:
                    buffer.stop()
                for thread in threads:
                    thread.join()
                return
            on_progress(self.progress())

    def _outcome(self, progress: Progress) -> Outcome:
        if self._failure is not None:
            reason = str(self._failure) or type(self._failure).__name__
            return Outcome(state="failed", reason=reason, progress=progress)
        if self._stopping.is_set():
            return Outcome(state="cancelled", reason="The run was cancelled.", progress=progress)
        return Outcome(state="done", reason="", progress=progress)

    def _guarded(self, part: Callable[[], None]) -> None:
        try:
            part()
        except StoppedError:
            return
        except Exception as error:
            if not isinstance(error, PluginError):
                logger.exception("pipeline %s failed", self.name)
            with self._lock:
                self._failure = self._failure or error
            self._stopping.set()
        finally:
            self._news.set()

    # --- the stages, each in a thread of its own ---

    def _read(self, out: Buffer[Package]) -> None:
        batches = self.source.read(self.cursor)
        number, before = 0, self.cursor
        while (batch := self._next(batches)) is not None:
            if self._stopping.is_set():
                raise StoppedError
            self._reading.records_in += len(batch.records) + len(batch.errors)
            self._reading.records_out += len(batch.records)
            self._total = batch.total if batch.total is not None else self._total
            self._reject(self._reading, batch.errors)
            number += 1
            with self._lock:
                self._cursors[number] = batch.cursor
            package = Package(number=number, records=batch.records, cursor=before)
            before = batch.cursor
            self._reading.waited_s += out.put(package)
        out.close()

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        with _timed(self._reading):
            return next(batches, None)

    def _process(self, read: Buffer[Package], outs: Sequence[Buffer[Package]]) -> None:
        latest = Package(number=0, records=(), cursor=self.cursor)
        while (package := read.take()) is not None:
            latest = package
            self._pass_on(replace(package, records=self._stepped(package.records)), outs)
        self._pass_on(replace(latest, records=self._stepped_last(), is_rest=True), outs)
        for out in outs:
            out.close()

    def _pass_on(self, package: Package, outs: Sequence[Buffer[Package]]) -> None:
        waited_s = sum(out.put(package) for out in outs)
        if self._stepping:
            self._stepping[-1].waited_s += waited_s

    def _stepped(self, records: Sequence[Record]) -> Sequence[Record]:
        for place in range(len(self.steps)):
            records = self._step(place, records, is_last=False)
        return records

    def _stepped_last(self) -> Sequence[Record]:
        records: Sequence[Record] = ()
        for place in range(len(self.steps)):
            records = self._step(place, records, is_last=True)
        return records

    def _step(self, place: int, records: Sequence[Record], *, is_last: bool) -> Sequence[Record]:
        counters = self._stepping[place]
        with _timed(counters):
            out = self.steps[place].process(records, is_last)
        counters.records_in += len(records)
        counters.records_out += len(out)
        return out

    def _write(self, packages: Buffer[Package], place: int) -> None:
        sink, counters = self.sinks[place], self._writing[place]
        while (package := packages.take()) is not None:
            records = sink.taken(package.records)
            counters.records_in += len(records)
            counters.passed_by += len(package.records) - len(records)
            if records:
                report = self._write_surely(sink, counters, records, package.id_in(self.name))
                counters.records_out += report.written
                self._reject(counters, report.errors)
            self._acknowledge(place, package.number)

    def _write_surely(
        self, sink: Sink, counters: StageCounters, records: Sequence[Record], batch_id: str
    ) -> WriteReport:
        pause_s = self.options.pause_s
        for attempt in range(1, self.options.attempts + 1):
            try:
                with _timed(counters):
                    return sink.write(records, batch_id)
            except PluginError as error:
                if error.permanent or attempt == self.options.attempts:
                    raise
            counters.retries += 1
            if self._stopping.wait(pause_s):
                raise StoppedError
            pause_s = min(pause_s * 2, self.options.longest_pause_s)
        raise AssertionError(batch_id)

    def _reject(self, counters: StageCounters, errors: Sequence[RecordError]) -> None:
        if not errors:
            return
        with self._lock:
            counters.failed += len(errors)
            self._failed += len(errors)
            self._errors += errors[: max(_ERRORS_KEPT - len(self._errors), 0)]
            is_too_many = self._failed > self.options.most_errors
        if is_too_many:
            message = (
                f"{self._failed} records are wrong and the run may leave out "
                f"{self.options.most_errors}; the last one: {errors[-1].place}: "
                f"{errors[-1].message}"
            )
            raise TooManyErrorsError(message, permanent=True)

    def _acknowledge(self, place: int, number: int) -> None:
        with self._lock:
            self._written_until[place] = number
            until = min(self._written_until)
            for known in [each for each in self._cursors if each <= until]:
                cursor = self._cursors.pop(known)
                if known == until:
                    self._stored = cursor


@contextmanager
def _timed(counters: StageCounters) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        counters.seconds += time.perf_counter() - began
