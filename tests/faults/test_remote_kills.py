"""Kill -9 of our processes and of VictoriaMetrics: what was acknowledged is there in the end."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from detectviz.testing.backends import victoria_metrics
from detectviz.testing.services import free_port
from detectviz.testing.tsdb import equal
from detectviz.tsdb.opening import open_store
from detectviz.tsdb.sending.store import RemoteStore

PROGRAM = Path(__file__).with_name("append_remote.py")
ROOT = Path(__file__).parents[2]
ENDLESS = 1_000_000
HOUR_MS = 3_600_000


class Appender:
    """One process that appends; what it acknowledged is in ``ledger``."""

    def __init__(self, folder: Path, url: str, writer: str, first: int, start_ms: int) -> None:
        argv = [folder, url, writer, first, ENDLESS, start_ms]
        self.writer = writer
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *map(str, argv)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        )
        self.ledger: list[int] = []

    def wait_for(self, batches: int) -> None:
        assert self.process.stdout is not None
        while len(self.ledger) < batches:
            line = self.process.stdout.readline()
            assert line, "the appender ended"
            self.ledger.append(int(line))

    def kill(self) -> None:
        assert self.process.stdout is not None
        self.process.kill()
        rest = self.process.stdout.read()
        self.ledger += [int(line) for line in rest.split(b"\n")[:-1]]
        self.process.stdout.close()
        self.process.wait()


def wait_until_sent(store: RemoteStore) -> None:
    deadline = time.monotonic() + 60
    while store.queue_status().waiting_samples:
        assert time.monotonic() < deadline, store.describe()
        time.sleep(0.1)


@pytest.mark.services("victoria-metrics")
@pytest.mark.timeout(180)
def test_nothing_acknowledged_is_lost_over_an_outage_and_kills_on_both_sides(
    tmp_path: Path,
) -> None:
    port = free_port()
    url = f"victoriametrics+http://127.0.0.1:{port}"
    folder, data = tmp_path / "data", tmp_path / "vm"
    start_ms = int(time.time() * 1000) - HOUR_MS
    appenders = [Appender(folder, url, writer, 0, start_ms) for writer in "ab"]
    for appender in appenders:
        appender.wait_for(60)  # while nobody is there
    appenders[0].kill()  # it may be the one whose turn it is to send
    with victoria_metrics(data, port=port) as (_, server):
        appenders[1].wait_for(200)
        server.kill()  # while it takes what waited
        server.wait()
    appenders[1].wait_for(260)
    appenders.append(Appender(folder, url, "c", 0, start_ms))
    with victoria_metrics(data, port=port) as (_, server):
        appenders[2].wait_for(60)
        for appender in appenders[1:]:
            appender.kill()
        store = open_store(url, data_dir=folder)
        assert isinstance(store, RemoteStore)
        store.start_sending()
        wait_until_sent(store)
        time.sleep(store.backend.settles_after_s + 2)  # until only the server has them
        for appender in appenders:
            found = store.select(
                "acme", [equal("writer", appender.writer)], start_ms, start_ms + 2 * HOUR_MS
            )
            assert len(found) == 10
            for place in range(len(found)):
                own = slice(found.offsets[place], found.offsets[place + 1])
                values = found.values[own].tolist()
                assert set(appender.ledger) <= {int(value) for value in values}
                assert found.timestamps_ms[own].tolist() == [
                    start_ms + int(value) * 1000 for value in values
                ]
        assert store.queue_status().dead == 0
        store.close()
