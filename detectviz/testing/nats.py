"""A private NATS server with JetStream."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detectviz.testing.services import find_program, free_port, port_is_open, run_server


@contextmanager
def nats_server(folder: Path) -> Iterator[str]:
    """Run NATS on a free port of loopback, its stream store in ``folder``; yield its URL."""
    path = find_program("nats-server")
    if path is None:
        raise RuntimeError("nats-server is not installed.")
    port = free_port()
    argv = [path, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(folder)]
    with run_server(argv, ready=lambda: port_is_open(port)):
        yield f"nats://127.0.0.1:{port}"
