"""All that is read is written, wrong records are told, nothing fills the memory."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from detectviz.contracts.batches import Batch, WriteReport
from detectviz.contracts.errors import PluginError
from detectviz.contracts.records import Record, RecordError, Signal
from detectviz.contracts.types import JsonObject
from detectviz.pipeline.runs import Outcome, Progress, Run, RunOptions
from detectviz.pipeline.stages import Sink, Source, Step
from detectviz.testing.records import make_log, make_metric

QUICK = RunOptions(buffer_batches=2, pause_s=0.001, longest_pause_s=0.002)


def counting(batches: int, size: int = 3, *, wrong_in: int | None = None) -> Source:
    """Return a source of ``batches`` batches whose cursor is the number of those read."""

    def read(cursor: JsonObject) -> Iterator[Batch]:
        first = cursor.get("read", 0)
        assert isinstance(first, int)
        for number in range(first, batches):
            wrong = (RecordError(place=f"batch {number}", message="It is wrong."),)
            yield Batch(
                records=[make_metric(number * size + place) for place in range(size)],
                cursor={"read": number + 1},
                total=batches * size,
                errors=wrong if number == wrong_in else (),
            )

    return Source(name="counting", read=read)


class Store:
    """Takes metrics; ``trouble`` is asked before each write and may raise."""

    def __init__(self, trouble: Callable[[], object] = lambda: None) -> None:
        self.records: list[Record] = []
        self.ids: list[str] = []
        self._trouble = trouble

    def write(self, records: Sequence[Record], batch_id: str) -> WriteReport:
        self.ids.append(batch_id)
        self._trouble()
        self.records += records
        return WriteReport(written=len(records))

    def sink(self, name: str = "store", *signals: Signal) -> Sink:
        return Sink(name=name, signals=frozenset(signals or {Signal.METRICS}), write=self.write)


def ran(
    source: Source,
    *sinks: Sink,
    steps: Sequence[Step] = (),
    options: RunOptions = QUICK,
    cursor: JsonObject | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Outcome:
    run = Run(
        name="run-1",
        source=source,
        steps=steps,
        sinks=sinks,
        options=options,
        cursor=cursor or {},
        is_cancelled=is_cancelled,
    )
    return run.run()


def test_everything_read_is_written_in_order_into_every_sink() -> None:
    one, other = Store(), Store()
    outcome = ran(counting(20), one.sink("one"), other.sink("other"))
    wanted = [make_metric(number) for number in range(60)]
    assert one.records == other.records == wanted
    assert (outcome.state, outcome.progress.cursor) == ("done", {"read": 20})
    assert (outcome.progress.read, outcome.progress.written) == (60, 60)
    assert outcome.progress.total == 60


def test_steps_change_records_and_give_what_they_gathered_at_the_end() -> None:
    gathered: list[Record] = []

    def gather(records: Sequence[Record], is_last: bool) -> Sequence[Record]:
        gathered.extend(records)
        return gathered if is_last else []

    def twice(records: Sequence[Record], is_last: bool) -> Sequence[Record]:
        return [record for record in records for _ in range(2)]

    store = Store()
    steps = [Step(name="gather", process=gather), Step(name="twice", process=twice)]
    outcome = ran(counting(4), store.sink(), steps=steps)
    assert len(store.records) == 24
    counted = [(stage.records_in, stage.records_out) for stage in outcome.progress.stages]
    assert counted == [(12, 12), (12, 12), (12, 24), (24, 24)]


def test_a_sink_gets_the_records_it_takes() -> None:
    logs, metrics = Store(), Store()
    mixed = Source(
        name="mixed", read=lambda _: iter([Batch(records=[make_log(), make_metric()], cursor={})])
    )
    outcome = ran(mixed, logs.sink("logs", Signal.LOGS), metrics.sink("metrics"))
    assert (logs.records, metrics.records) == ([make_log()], [make_metric()])
    assert [stage.passed_by for stage in outcome.progress.stages] == [0, 1, 1]


def test_a_write_that_fails_for_now_is_tried_again_under_the_same_id() -> None:
    failures = iter([True, True, False, False])

    def trouble() -> None:
        if next(failures, False):
            raise PluginError("It is away.")

    store = Store(trouble)
    outcome = ran(counting(2), store.sink())
    assert outcome.state == "done"
    assert store.ids[0] == store.ids[1] == store.ids[2] != store.ids[3]
    assert outcome.progress.stages[-1].retries == 2


@pytest.mark.parametrize("permanent", [True, False])
def test_a_write_that_cannot_be_done_ends_the_run_with_its_reason(permanent: bool) -> None:
    written: list[int] = []

    def trouble() -> None:
        if len(written) == 3:
            raise PluginError("No such table.", permanent=permanent)
        written.append(1)

    store = Store(trouble)
    outcome = ran(counting(1_000), store.sink())
    assert (outcome.state, outcome.reason) == ("failed", "No such table.")
    assert outcome.progress.cursor == {"read": 3}


def test_a_run_goes_on_where_it_failed_with_the_same_ids() -> None:
    whole, first, second = Store(), Store(), Store()
    ran(counting(10), whole.sink())

    def trouble() -> None:
        if len(first.ids) == 5:
            raise PluginError("Full.", permanent=True)

    first._trouble = trouble
    failed = ran(counting(10), first.sink())
    done = ran(counting(10), second.sink(), cursor=failed.progress.cursor)
    assert done.state == "done"
    assert first.records + second.records == whole.records
    assert [*first.ids[:-1], *second.ids] == whole.ids


def test_the_cursor_waits_for_the_slowest_sink() -> None:
    seen: list[Progress] = []
    gate = threading.Event()
    fast, slow = Store(), Store(lambda: gate.wait(5))
    run = Run(
        name="r",
        source=counting(3),
        steps=(),
        sinks=[fast.sink("f"), slow.sink("s")],
        options=QUICK,
    )

    def look(progress: Progress) -> None:
        seen.append(progress)
        if len(fast.records) == 9:
            gate.set()

    assert run.run(look).progress.cursor == {"read": 3}
    assert seen[0].cursor == {}


def test_who_reads_waits_for_who_writes() -> None:
    gate, ahead = threading.Event(), threading.Event()
    read: list[int] = []

    def endless(_: JsonObject) -> Iterator[Batch]:
        for number in range(100):
            read.append(number)
            if number == 5:
                ahead.set()
            yield Batch(records=[make_metric(number)], cursor={})

    store = Store(lambda: gate.wait(5))
    most: list[int] = []

    def look(_: Progress) -> None:
        if not gate.is_set():
            most.append(len(read))
            if len(most) == 2:
                gate.set()

    source = Source(name="endless", read=endless)
    run = Run(name="r", source=source, steps=(), sinks=[store.sink()], options=QUICK)
    assert run.run(look).state == "done"
    # Two in each of the two buffers, one in the hands of each of the three stages.
    assert max(most) <= 7
    assert len(store.records) == 100


def test_wrong_records_are_told_and_left_out() -> None:
    store = Store()
    outcome = ran(counting(3, wrong_in=1), store.sink())
    assert (outcome.state, outcome.progress.failed) == ("done", 1)
    assert outcome.progress.errors[0].place == "batch 1"


def test_too_many_wrong_records_end_the_run() -> None:
    options = RunOptions(most_errors=0)
    outcome = ran(counting(3, wrong_in=1), Store().sink(), options=options)
    assert outcome.state == "failed"
    assert "batch 1: It is wrong." in outcome.reason


def test_a_run_can_be_cancelled_while_it_writes() -> None:
    store = Store()
    outcome = ran(counting(10**9), store.sink(), is_cancelled=lambda: len(store.ids) > 10)
    assert outcome.state == "cancelled"
    assert outcome.progress.cursor["read"] == len(store.ids)


def test_an_error_in_a_step_ends_the_run(caplog: pytest.LogCaptureFixture) -> None:
    def broken(records: Sequence[Record], is_last: bool) -> Sequence[Record]:
        raise KeyError("oops")

    outcome = ran(counting(3), Store().sink(), steps=[Step(name="broken", process=broken)])
    assert outcome.state == "failed"
    assert "oops" in caplog.text
