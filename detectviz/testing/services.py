"""Private servers for tests: find the program, pick a port, run it, end it.

A test that needs installed programs says so with ``@pytest.mark.services("victoria-metrics")``;
``tests/conftest.py`` skips it where one is missing, or fails it under
``DETECTVIZ_REQUIRE_SERVICES=1``.
"""

import fcntl
import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

# Debian keeps servers here, off an ordinary user's PATH.
EXTRA_DIRECTORIES = ("/usr/sbin", "/usr/local/sbin", "/usr/lib/postgresql/*/bin")
POLL_S = 0.02
PORTS = range(20_000, 32_768)
LOG_TAIL_BYTES = 4000

_untried_ports = iter(PORTS)


def find_program(*names: str) -> str | None:
    """Return the path of the first of ``names`` that is installed, or None."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_extra_directories()])  # noqa: TID251 - the test runner's own PATH
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def missing_programs(names: Sequence[str]) -> list[str]:
    """Return those of ``names`` that are not installed."""
    return [name for name in names if find_program(name) is None]


def services_are_required() -> bool:
    """Say whether a missing program must fail its tests instead of skipping them."""
    return os.environ.get("DETECTVIZ_REQUIRE_SERVICES") == "1"  # noqa: TID251 - read by tests only


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on and that nobody else is given.

    It lies below the ports kernels pick for sockets that ask for none, and a lock that ends with
    this process keeps it from the tests of other processes. So a server may be started on it
    late, or again, and a test that needs a closed port has one.

    Raises:
        RuntimeError: all are taken.

    """
    for port in _untried_ports:
        if _lock(port) and not _is_taken(port):
            return port
    raise RuntimeError(f"No port of {PORTS.start} to {PORTS.stop - 1} is free.")


def port_is_open(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether something accepts TCP connections on ``port``: the simplest ``ready``."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def http_is_ready(port: int, path: str = "/-/ready") -> bool:
    """Say whether GET is answered with 200: ``ready`` of what listens before it serves."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    finally:
        connection.close()


@contextmanager
def run_server(
    argv: Sequence[str | Path],
    *,
    ready: Callable[[], bool],
    timeout_s: float = 30,
    stop_timeout_s: float = 15,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; yield its process once ``ready()`` is true.

    ``ready`` is polled every 20 ms; an ``OSError`` from it means "not yet". The process is asked
    to end (SIGTERM) and killed after ``stop_timeout_s``. ``env`` replaces the whole environment.

    Raises:
        RuntimeError: it ended early or was not ready within ``timeout_s``; the message carries
            the end of its output.

    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=None if env is None else dict(env),
        )
        try:
            _wait_until_ready(process, ready, timeout_s, log)
            yield process
        finally:
            stop_process(process, timeout_s=stop_timeout_s)


def stop_process(process: subprocess.Popen[bytes], *, timeout_s: float = 15) -> None:
    """End one process by its own id: SIGTERM first, SIGKILL after ``timeout_s``."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _lock(port: int) -> bool:
    """Keep a port from other processes until this one ends; False where another has it."""
    locks = _port_locks()
    try:
        fcntl.lockf(locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _port_locks() -> int:
    """Open the file whose byte N stands for port N. Closing it would drop the locks."""
    path = Path(tempfile.gettempdir()) / f"detectviz-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _wait_until_ready(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], timeout_s: float, log: IO[bytes]
) -> None:
    deadline = time.monotonic() + timeout_s
    while not _is_ready(ready):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended early:\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} not ready in {timeout_s} s:\n{_tail(log)}")
        time.sleep(POLL_S)


def _is_ready(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except OSError:
        return False


def _tail(log: IO[bytes]) -> str:
    # The descriptor's offset is shared with the server, so read without moving it.
    size = os.fstat(log.fileno()).st_size
    tail = os.pread(log.fileno(), LOG_TAIL_BYTES, max(0, size - LOG_TAIL_BYTES))
    return tail.decode(errors="replace")


def _extra_directories() -> list[str]:
    root = Path("/")
    found = [root.glob(pattern.lstrip("/")) for pattern in EXTRA_DIRECTORIES]
    return [str(directory) for matches in found for directory in sorted(matches, reverse=True)]
