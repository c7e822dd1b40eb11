import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectviz.testing.tsdb import equal
from detectviz.tsdb.backend_http import BackendError
from detectviz.tsdb.interface import Sample, StoreError
from detectviz.tsdb.sending.dead_letters import DeadLetters
from detectviz.tsdb.sending.file import QueueFile
from detectviz.tsdb.sending.sender import Sender
from detectviz.tsdb.sending.store import RemoteStore
from tests.detectviz.tsdb.sending.fake_backend import FakeBackend

NOW_MS = 1_700_000_000_000
GONE = StoreError("not reachable", retryable=True)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Rig:
    def __init__(self, folder: Path, backend: FakeBackend) -> None:
        self.backend, self.clock = backend, Clock()
        self.store = RemoteStore(backend, data_dir=folder, limits=backend.limits)
        path = folder / "queue" / "samples.sqlite"
        self.file = QueueFile(path, limits=backend.limits, clock=self.clock)
        self.letters = folder / "queue" / "dead-letters.jsonl"
        self.sender = Sender(self.file, backend, DeadLetters(self.letters), clock=self.clock)

    def append(self, tenant: str, *values: float) -> None:
        for value in values:
            sample = Sample({"__name__": "m"}, NOW_MS + int(value), value)
            assert self.store.append(tenant, [sample]).stored == 1

    def run(self, steps: int = 5) -> None:
        for _ in range(steps):
            self.sender.step()

    def read(self, tenant: str) -> list[float]:
        found = self.store.select(tenant, [equal("__name__", "m")], NOW_MS - 1, NOW_MS + 10_000)
        return [float(value) for value in found.values]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, FakeBackend())
    yield rig
    rig.store.close()
    rig.file.close()


@pytest.fixture
def settling(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, FakeBackend(settles_after_s=10))
    yield rig
    rig.store.close()
    rig.file.close()


def test_samples_are_sent_once_in_order_and_read_before_and_after(rig: Rig) -> None:
    rig.append("a", 1, 2, 3)
    rig.append("b", 4)
    assert rig.read("a") == [1, 2, 3]
    rig.run()
    assert rig.backend.taken == [("a", [1, 2, 3]), ("b", [4])]
    assert rig.read("a") == [1, 2, 3]
    assert rig.store.queue_status().sent == 4
    assert rig.store.queue_status().waiting_bytes == 0


def test_an_outage_pauses_everybody_longer_and_longer_and_nothing_is_lost(rig: Rig) -> None:
    rig.append("a", 1)
    rig.backend.errors[""] = GONE
    for _ in range(200):
        rig.clock.now += 1
        rig.run(1)
    retried = rig.store.queue_status().retried
    assert 8 <= retried <= 20  # 0.5 s, doubled up to 30 s
    rig.append("a", 2)
    del rig.backend.errors[""]
    rig.clock.now += 31
    rig.run()
    assert rig.backend.taken == [("a", [1, 2])]


def test_one_tenant_that_is_told_to_wait_holds_up_nobody_else(rig: Rig) -> None:
    rig.append("slow", 1)
    rig.append("b", 2)
    rig.backend.errors["slow"] = BackendError("429", status=429, retry_after_s=100)
    rig.run()
    assert rig.backend.taken == [("b", [2])]
    del rig.backend.errors["slow"]
    rig.clock.now += 99
    rig.run()
    assert len(rig.backend.taken) == 1
    rig.clock.now += 2
    rig.run()
    assert rig.backend.taken[1] == ("slow", [1])


def test_refused_samples_are_singled_out(rig: Rig) -> None:
    rig.append("a", *range(1, 40))
    rig.backend.refused_values = {7, 23}
    rig.backend.refusing = BackendError("answered 400: no", status=400)
    rig.run()
    assert rig.read("a") == [value for value in range(1, 40) if value not in {7, 23}]
    status = rig.store.queue_status()
    assert (status.sent, status.dead, status.waiting_samples) == (37, 2, 0)
    lines = [json.loads(line) for line in rig.letters.read_text().splitlines()]
    assert [(line["tenant"], line["value"], line["reason"]) for line in lines] == [
        ("a", "7.0", "answered 400: no"),
        ("a", "23.0", "answered 400: no"),
    ]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_what_a_person_or_time_can_mend_is_tried_again(rig: Rig, status: int) -> None:
    rig.append("a", 1)
    rig.backend.errors["a"] = BackendError(f"answered {status}", status=status)
    rig.run()
    assert rig.store.queue_status().dead == 0
    assert rig.store.queue_status().waiting_samples == 1


def test_a_full_queue_refuses_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    rig = Rig(tmp_path, FakeBackend(queue_bytes=20_000))
    acknowledged: list[float] = []
    while rig.store.queue_status().waiting_bytes < 19_600:
        acknowledged.append(float(len(acknowledged)))
        rig.append("a", acknowledged[-1])
    with pytest.raises(StoreError, match="queue of samples for the backend is full") as caught:
        rig.append("a", *range(2000, 2100))
    assert caught.value.retryable
    acknowledged += rig.read("a")[len(acknowledged) :]
    assert rig.store.queue_status().refused == 1
    assert sum(path.stat().st_size for path in (tmp_path / "queue").iterdir()) < 6 << 20
    assert rig.read("a") == acknowledged
    rig.run(20)
    assert rig.backend.taken[0][1] == acknowledged
    rig.append("a", 5000)
    rig.store.close()
    rig.file.close()


def test_an_old_queue_refuses(rig: Rig) -> None:
    rig.clock.now = 0
    rig.file.append("a", [])
    rig.append("a", 1)
    with rig.file._database.writing() as connection:
        connection.execute("UPDATE lot SET added_ms = 0")
    with pytest.raises(StoreError, match="have been waiting"):
        rig.append("a", 2)


def test_what_was_sent_is_shown_until_it_has_settled(settling: Rig) -> None:
    rig = settling
    rig.append("a", 1)
    rig.clock.now = 0  # kept lots are dated by the sender's clock
    rig.run()
    rig.backend.memory.delete("a", [], 0, 2 * NOW_MS)  # as a server that shows nothing yet
    assert rig.read("a") == [1]
    rig.clock.now = 12
    rig.run()
    assert rig.read("a") == []


def test_what_was_sent_is_sent_again_when_the_server_may_have_restarted(settling: Rig) -> None:
    rig = settling
    rig.append("a", 1)
    rig.run()
    rig.backend.generation += 1
    rig.clock.now += 11
    rig.run()
    assert rig.backend.taken == [("a", [1]), ("a", [1])]
    assert rig.store.queue_status().sent == 1


def test_another_sender_sends_again_what_may_not_have_settled(settling: Rig) -> None:
    rig = settling
    rig.append("a", 1)
    rig.run()
    rig.sender.take_over()
    rig.run()
    assert rig.backend.taken == [("a", [1]), ("a", [1])]


def test_a_damaged_lot_is_left_out_and_the_rest_is_sent(rig: Rig) -> None:
    rig.append("a", 1, 2, 3)
    with rig.file._database.writing() as connection:
        connection.execute("UPDATE content SET data = x'00' WHERE seq = 2")
    rig.run()
    assert rig.read("a") == [1, 3]
    assert rig.store.queue_status().dead == 1


def test_deleted_samples_do_not_come_again_from_the_queue(settling: Rig) -> None:
    rig = settling
    rig.append("a", 1, 2, 3)
    assert rig.store.delete("a", [equal("__name__", "m")], NOW_MS + 2, NOW_MS + 2) == 1
    assert rig.read("a") == [1, 3]
    rig.sender.take_over()
    rig.run()
    assert rig.read("a") == [1, 3]


def test_nothing_is_deleted_while_samples_wait_for_a_server_that_is_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detectviz.tsdb.sending.store._DRAIN_S", 0.1)
    rig.append("a", 1)
    rig.backend.errors[""] = GONE
    with pytest.raises(StoreError, match="could come again"):
        rig.store.delete("a", [], 0, 2 * NOW_MS)


def test_one_process_sends_and_another_takes_over(rig: Rig) -> None:
    with rig.file.claimed("sender") as mine, rig.file.claimed("sender") as again:
        assert (mine, again) == (True, False)
