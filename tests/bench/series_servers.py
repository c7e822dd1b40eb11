"""Prometheus, VictoriaMetrics and the product as servers of one data set, each on core 0."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import psutil

from detectviz.testing.product import embedded_product
from detectviz.testing.services import find_program, free_port, port_is_open, run_server

SERVER_CORE: Final = {0}
CLIENT_CORE: Final = {1}
_WRITE_HEADERS: Final = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


@dataclass(slots=True, kw_only=True)
class Server:
    """A running server: where it answers below ``prefix`` and what it keeps in ``folder``."""

    name: str
    port: int
    folder: Path
    pid: int
    prefix: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    blocks: str = ""  # what of the folder counts as data
    extra: dict[str, str] = field(default_factory=dict)  # parameters of every query
    _connection: HTTPConnection | None = None

    def write(self, body: bytes) -> None:
        """Send one remote write request and wait for the answer."""
        status, answer = self._call("POST", "/api/v1/write", body, _WRITE_HEADERS)
        assert status in {200, 204}, f"{self.name}: {status} {answer[:300]!r}"

    def query(self, path: str, parameters: dict[str, str]) -> bytes:
        """Ask and return the body of the answer."""
        asked = urlencode({**parameters, **self.extra})
        status, answer = self._call("GET", f"/api/v1/{path}?{asked}", None, {})
        assert status == 200, f"{self.name}: {status} {answer[:300]!r}"
        return answer

    def cpu_s(self) -> float:
        """Return the CPU seconds used so far by the server and its children."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    def pss_mb(self) -> float:
        """Return its proportional memory in megabytes."""
        return float(sum(one.memory_full_info().pss for one in self.processes())) / 1e6

    def disk_bytes(self) -> int:
        """Return the bytes of its data files."""
        found = self.folder.glob(self.blocks or "**/*")
        return sum(path.stat().st_size for path in found if path.is_file())

    def processes(self) -> list[psutil.Process]:
        """Return the server's processes."""
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def pin(self) -> None:
        """Keep its processes on the server core."""
        for process in self.processes():
            process.cpu_affinity(list(SERVER_CORE))

    def _call(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        try:
            return self._exchange(method, path, body, {**self.headers, **headers})
        except RemoteDisconnected:  # it waited for the other servers for too long
            self._connection = None
            return self._exchange(method, path, body, {**self.headers, **headers})

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        self._connection.request(method, self.prefix + path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()


@contextmanager
def servers(names: tuple[str, ...]) -> Iterator[list[Server]]:
    """Run those of the named servers that are installed, on core 0; the caller moves to core 1."""
    before = os.sched_getaffinity(0)
    with (
        ExitStack() as stack,
        tempfile.TemporaryDirectory(
            prefix="detectviz-bench-", ignore_cleanup_errors=True
        ) as folder,
    ):
        running = []
        for name in names:
            home = Path(folder) / name
            home.mkdir()
            found = stack.enter_context(_STARTERS[name](home))
            if found is not None:
                found.pin()
                running.append(found)
        stack.callback(os.sched_setaffinity, 0, before)
        if len(before) > 1:
            os.sched_setaffinity(0, CLIENT_CORE)
        yield running


@contextmanager
def _prometheus(home: Path) -> Iterator[Server | None]:
    program = find_program("prometheus")
    if program is None:
        yield None
        return
    (home / "prometheus.yml").write_text("global: {}\n", encoding="utf-8")
    port = free_port()
    argv = [
        program,
        f"--config.file={home}/prometheus.yml",
        f"--storage.tsdb.path={home}/data",
        "--storage.tsdb.retention.time=30d",
        "--web.enable-remote-write-receiver",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with run_server(argv, ready=lambda: port_is_open(port), env={"GOMAXPROCS": "1"}) as process:
        time.sleep(1)
        yield Server(
            name="prometheus",
            port=port,
            folder=home / "data",
            pid=process.pid,
            prefix="",
            blocks="[0-9A-Z]*/**/*",
        )


@contextmanager
def _victoria_metrics(home: Path) -> Iterator[Server | None]:
    program = find_program("victoria-metrics")
    if program is None:
        yield None
        return
    port = free_port()
    argv = [
        program,
        f"-storageDataPath={home}/data",
        "-retentionPeriod=1y",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-search.latencyOffset=0s",
        "-loggerLevel=ERROR",
    ]
    with run_server(argv, ready=lambda: port_is_open(port), env={"GOMAXPROCS": "1"}) as process:
        yield Server(
            name="victoria-metrics",
            port=port,
            folder=home / "data",
            pid=process.pid,
            blocks="data/**/*",
            extra={"nocache": "1"},
        )


@contextmanager
def _detectviz(home: Path) -> Iterator[Server | None]:
    with embedded_product(home) as product:
        yield Server(
            name="detectviz",
            port=product.port,
            folder=home / "var",
            pid=product.processes["all"].pid,
            prefix="/orgs/default/prometheus",
            headers={"Authorization": f"Bearer {product.key}"},
            blocks="series.sqlite",
        )


_STARTERS: Final = {
    "detectviz": _detectviz,
    "prometheus": _prometheus,
    "victoria-metrics": _victoria_metrics,
}
