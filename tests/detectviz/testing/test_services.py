import socket
import subprocess
import sys

import pytest

from detectviz.testing import services
from detectviz.testing.services import (
    find_program,
    free_port,
    missing_programs,
    port_is_open,
    run_server,
)


def test_a_server_runs_inside_the_block_and_is_gone_after_it() -> None:
    port = free_port()
    argv = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with run_server(argv, ready=lambda: port_is_open(port)) as process:
        assert port_is_open(port)
    assert process.poll() is not None
    assert not port_is_open(port)


def test_a_server_that_dies_at_once_is_reported_with_its_output() -> None:
    argv = [sys.executable, "-c", "raise SystemExit('no such option')"]
    with (
        pytest.raises(RuntimeError, match="no such option"),
        run_server(argv, ready=lambda: False),
    ):
        pass


def test_a_server_that_never_answers_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(RuntimeError, match="not ready"),
        run_server(argv, ready=lambda: False, timeout_s=0.05),
    ):
        pass


def test_a_port_is_given_to_one_process() -> None:
    ask = (
        "from detectviz.testing import services as s; s._untried_ports = iter([{}]); s.free_port()"
    )
    argv = [sys.executable, "-c", ask.format(free_port())]
    told = subprocess.run(argv, capture_output=True, check=False, text=True)
    assert "RuntimeError: No port" in told.stderr


def test_a_port_something_listens_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = server.getsockname()[1]
        monkeypatch.setattr(services, "_untried_ports", iter([busy, free]))
        assert free_port() == free


def test_missing_programs_are_named() -> None:
    assert find_program("no-such-program", "sh")
    assert missing_programs(["sh", "no-such-program"]) == ["no-such-program"]
