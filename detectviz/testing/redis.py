"""A private Redis server."""

from collections.abc import Iterator
from contextlib import contextmanager

from detectviz.testing.services import find_program, free_port, port_is_open, run_server


@contextmanager
def redis_server(port: int = 0) -> Iterator[str]:
    """Run an empty Redis on ``port`` (0: a free one) of loopback and yield its URL."""
    path = find_program("redis-server")
    if path is None:
        raise RuntimeError("redis-server is not installed.")
    port = port or free_port()
    argv = [path, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with run_server(argv, ready=lambda: port_is_open(port)):
        yield f"redis://127.0.0.1:{port}/0"
