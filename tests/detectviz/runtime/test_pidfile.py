"""One process at a time holds the file; what a killed one left is no hindrance."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from detectviz.runtime.pidfile import AlreadyRunningError, pid_file
from tests.architecture.sources import ROOT

HOLD = (
    "import sys; from pathlib import Path; from detectviz.runtime.pidfile import pid_file\n"
    "with pid_file(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


def test_the_file_names_us_while_we_run_and_a_left_one_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "detectviz.pid"
    path.write_text("999999999\n", encoding="ascii")
    with pid_file(path):
        assert path.read_text(encoding="ascii") == f"{os.getpid()}\n"
    assert not path.exists()


def test_a_second_process_is_refused_and_told_who_runs(tmp_path: Path) -> None:
    path = tmp_path / "detectviz.pid"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(AlreadyRunningError, match=f"Process {holder.pid} already"),
            pid_file(path),
        ):
            pass
        holder.kill()
    with pid_file(path):
        assert path.exists()


def test_several_may_run_where_none_is_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "detectviz-worker.pid"
    with pid_file(path, is_sole=False), pid_file(path, is_sole=False):
        assert path.read_text(encoding="ascii") == f"{os.getpid()}\n"
    assert not path.exists()
