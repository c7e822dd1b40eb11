import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import Matcher, MatchOp, Sample

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
EVERYTHING = [Matcher("__name__", MatchOp.EQUAL, "m")]
START_MS = 1_672_531_200_000


class Programs:
    """Start the programs of ``programs/`` and make sure that none outlives the test."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []

    def start(self, name: str, *arguments: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(HERE / "programs" / name), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT)},
        )
        self._running.append(process)
        return process

    def close(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def programs() -> Iterator[Programs]:
    programs = Programs()
    yield programs
    programs.close()


def finish(process: "subprocess.Popen[str]") -> str:
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    return output


@pytest.mark.faults
def test_kill_9_loses_no_acknowledged_sample(tmp_path: Path, programs: Programs) -> None:
    path = tmp_path / "series.sqlite"
    acknowledged: list[int] = []
    first = 0
    for lines_before_kill in (1, 7, 40, 23, 64, 31):
        writer = programs.start("append.py", path, "w", first, 100_000, 5)
        assert writer.stdout is not None
        acknowledged += [int(writer.stdout.readline()) for _ in range(lines_before_kill)]
        writer.send_signal(signal.SIGKILL)
        rest, errors = writer.communicate()
        assert errors == ""
        acknowledged += [int(line) for line in rest.split()]
        first = acknowledged[-1] + 2  # the next one may or may not be stored
    store = EmbeddedStore(path)
    assert store.verify() == ()
    found = store.select("acme", EVERYTHING, 0, 2**51)
    assert len(found) == 50
    for place in range(len(found)):
        kept = found.values[found.offsets[place] : found.offsets[place + 1]].tolist()
        assert set(acknowledged) <= {int(value) for value in kept}
        assert len(kept) <= len(acknowledged) + 6
    store.close()


def test_two_append_one_compacts_one_reads(tmp_path: Path, programs: Programs) -> None:
    path, stop = tmp_path / "series.sqlite", tmp_path / "stop"
    EmbeddedStore(path).close()
    compactor = programs.start("compact.py", path, stop)
    reader = programs.start("read.py", path, stop)
    writers = [programs.start("append.py", path, name, 0, 120, 0) for name in ("a", "b")]
    for writer in writers:
        assert len(finish(writer).split()) == 120
    stop.touch()
    finish(compactor)
    rounds, seen = map(int, finish(reader).split())
    assert rounds > 1
    assert seen == 2 * 50 * 120


def test_many_processes_may_open_a_new_file_at_once(tmp_path: Path, programs: Programs) -> None:
    path = tmp_path / "new" / "series.sqlite"
    writers = [programs.start("append.py", path, f"w{n}", 0, 1, 1) for n in range(4)]
    for writer in writers:
        finish(writer)
    store = EmbeddedStore(path)
    assert len(store.select("acme", EVERYTHING, 0, 2**51)) == 200
    store.close()


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_can_use_an_inherited_store(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "series.sqlite")
    store.append("acme", [Sample({"__name__": "m"}, START_MS, 1.0)])
    child = os.fork()
    if child == 0:
        report = store.append("acme", [Sample({"__name__": "m"}, START_MS + 1, 2.0)])
        os._exit(0 if report.stored == 1 else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    found = store.select("acme", EVERYTHING, 0, 2**51)
    assert found.values.tolist() == [1.0, 2.0]
    store.close()
