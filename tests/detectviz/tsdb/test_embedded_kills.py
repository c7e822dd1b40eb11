"""Kill -9 during ingestion by several processes: what was acknowledged is there, bit for bit.

A handful of kills by default; DETECTVIZ_KILLS=100 for the long run.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import Matcher, MatchOp

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
START_MS = 1_672_531_200_000
KILLS = int(os.environ.get("DETECTVIZ_KILLS", "4"))  # noqa: TID251 - how long this test may take
WRITERS = ("a", "b")


class Writer:
    """A process that appends numbered batches, again and again until nobody kills it."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self.acknowledged: list[int] = []
        self.first = 0
        self.process = self._start()

    def read(self, lines: int) -> None:
        """Take so many acknowledgements into the ledger."""
        assert self.process.stdout is not None
        self.acknowledged += [int(self.process.stdout.readline()) for _ in range(lines)]

    def kill(self) -> None:
        """End it in the middle of whatever it does, and keep what it had said."""
        self.process.send_signal(signal.SIGKILL)
        rest, errors = self.process.communicate()
        assert errors == ""
        self.acknowledged += [int(line) for line in rest.split()]
        self.first = (self.acknowledged[-1] if self.acknowledged else self.first) + 2

    def restart(self) -> None:
        """Go on behind what may or may not have been stored."""
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        program = str(HERE / "programs" / "append.py")
        arguments = [str(self.path), self.name, str(self.first), "1000000", "5"]
        return subprocess.Popen(
            [sys.executable, program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT)},
        )


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[list[Writer]]:
    path = tmp_path / "series.sqlite"
    EmbeddedStore(path).close()
    writers = [Writer(path, name) for name in WRITERS]
    yield writers
    for writer in writers:
        if writer.process.poll() is None:
            writer.process.kill()
        writer.process.communicate()


@pytest.mark.faults
@pytest.mark.timeout(60 + 20 * KILLS)
def test_no_acknowledged_sample_is_lost_by_any_kill(writers: list[Writer]) -> None:
    rng = random.Random(KILLS)
    for _ in range(KILLS):
        victim = rng.choice(writers)
        for writer in writers:
            writer.read(rng.randrange(1, 30))
        victim.kill()
        victim.restart()
    for writer in writers:
        writer.read(1)
        writer.kill()
    store = EmbeddedStore(writers[0].path)
    assert store.verify() == ()
    for writer in writers:
        found = store.select("acme", [Matcher("writer", MatchOp.EQUAL, writer.name)], 0, 2**51)
        assert len(found) == 50
        for place in range(len(found)):
            piece = slice(int(found.offsets[place]), int(found.offsets[place + 1]))
            kept = dict(
                zip(found.timestamps_ms[piece].tolist(), found.values[piece].tolist(), strict=True)
            )
            assert all(kept[START_MS + n * 1000] == n for n in writer.acknowledged)
    store.close()
