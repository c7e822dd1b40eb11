"""What systemd is told, over a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pytest_django import Settings

from detectviz.runtime.systemd import Notifier, service_notifier


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    address = str(tmp_path / "notify")
    if request.param == "abstract":
        address = f"@detectviz-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address.replace("@", "\0", 1))
        receiver.settimeout(5)
        yield address, receiver


def test_readiness_status_and_the_end_are_told(ear: tuple[str, socket.socket]) -> None:
    address, receiver = ear
    notifier = Notifier(address)
    notifier.ready("runs web")
    notifier.status("busy")
    notifier.beat()  # nobody asked for a watchdog
    notifier.stopping()

    heard = [receiver.recv(1000).decode().splitlines() for _ in range(3)]
    assert heard == [
        ["READY=1", "STATUS=runs web", f"MAINPID={os.getpid()}"],
        ["STATUS=busy"],
        ["STOPPING=1", "STATUS=stopping"],
    ]


def test_readiness_is_told_again_when_nobody_had_room_for_it(
    ear: tuple[str, socket.socket],
) -> None:
    address, receiver = ear
    queued = Path("/proc/sys/net/unix/max_dgram_qlen").read_text(encoding="ascii")
    notifier = Notifier(address)
    for _ in range(int(queued) + 1):
        notifier.status("busy")
    notifier.ready("runs web")
    assert set(heard_by(receiver)) == {b"STATUS=busy"}
    for _ in range(2):
        notifier.beat()
    assert [words.splitlines()[0] for words in heard_by(receiver)] == [b"READY=1"]


def heard_by(receiver: socket.socket) -> list[bytes]:
    """Return everything that waits to be read."""
    heard: list[bytes] = []
    receiver.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            heard.append(receiver.recv(1000))
    return heard


def test_the_watchdog_hears_at_most_twice_as_often_as_it_asks(
    ear: tuple[str, socket.socket],
) -> None:
    address, receiver = ear
    notifier = Notifier(address, watchdog_s=60.0)
    for _ in range(10):
        notifier.beat()
    assert receiver.recv(1000) == b"WATCHDOG=1"
    receiver.settimeout(0.05)
    with pytest.raises(TimeoutError):
        receiver.recv(1000)


def test_without_systemd_or_with_a_deaf_one_nothing_happens(tmp_path: Path) -> None:
    Notifier().ready("runs")
    Notifier(str(tmp_path / "gone")).ready("runs")


@pytest.mark.parametrize(
    ("pid", "seconds"),
    [(0, 30.0), (os.getpid(), 30.0), (1, 0.0)],
    ids=["everybody", "this one", "another"],
)
def test_the_watchdog_is_for_the_process_it_names(
    settings: Settings, pid: int, seconds: float
) -> None:
    settings.NOTIFY_SOCKET, settings.WATCHDOG_USEC, settings.WATCHDOG_PID = "@x", 30_000_000, pid
    assert service_notifier().watchdog_s == seconds
