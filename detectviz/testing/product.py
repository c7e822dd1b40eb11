"""The product as its users start it: processes, command line and REST, on private data."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from detectviz.testing.migrated import DATABASE_NAME, collected_static, migrated_database
from detectviz.testing.services import free_port, run_server

ROOT = Path(__file__).resolve().parents[2]
ADMIN_PASSWORD = "Correct-horse-7-battery"
START_TIMEOUT_S = 180.0  # all migrations on a busy machine
POLL_S = 0.1


@dataclass(slots=True, kw_only=True)
class Product:
    """A running deployment. ``processes`` are the supervisors, by application."""

    port: int
    environment: Mapping[str, str]
    data_dir: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _key: str = ""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        """An admin's API key of the default org, made on first use."""
        if not self._key:
            made = self.cli("apikey", "create", "--org", "default", "--role", "admin")
            self._key = made.strip().splitlines()[-1]
        return self._key

    def cli(self, *arguments: str, stdin: str = "", status: int = 0) -> str:
        """Run `detectviz …` and return what it printed; fail on another exit status."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=dict(self.environment),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == status, (
            f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> tuple[int, Any]:
        """Call the REST API with a key; return status and decoded answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        payload = None
        if body is not None:
            payload = body if isinstance(body, str) else json.dumps(body)
            is_yaml = isinstance(body, str)
            headers["Content-Type"] = "application/yaml" if is_yaml else "application/json"
        connection.request(method, path, body=payload, headers=headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, json.loads(text) if text[:1] in b"{[" and text else text

    def get(self, path: str) -> Any:
        """GET and return the answer; fail unless 200."""
        status, answer = self.call("GET", path)
        assert status == 200, f"GET {path}: {status} {answer}"
        return answer

    def pid_of(self, role: str, application: str = "all") -> int:
        """Return the process of a role below a supervisor; wait for it if it is just starting."""
        parent = psutil.Process(self.processes[application].pid)

        def found() -> int:
            names = {child.pid: _name(child.pid) for child in parent.children()}
            return next((pid for pid, name in names.items() if name == f"dv:{role}"), 0)

        return int(until(found, f"a process dv:{role}"))

    def kill(self, pid: int) -> None:
        """Kill -9 one of our own processes."""
        os.kill(pid, signal.SIGKILL)


def until(condition: Callable[[], Any], what: str, *, timeout_s: float = 60.0) -> Any:
    """Wait until ``condition()`` is truthy and return it; fail naming ``what``."""
    ends_at = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > ends_at:
            raise AssertionError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(POLL_S)


@contextmanager
def embedded_product(
    data_dir: Path, *, arguments: Sequence[str] = (), **variables: str
) -> Iterator[Product]:
    """Run `detectviz up` with further ``arguments``, sooner: tables and static files are there."""
    database = data_dir / "var" / DATABASE_NAME
    if not database.exists():
        migrated_database(database)
    ready = {"DETECTVIZ_STATIC_DIR": str(collected_static()), **variables}
    with bare_product(data_dir, arguments=arguments, **ready) as product:
        yield product


@contextmanager
def bare_product(
    data_dir: Path, *, arguments: Sequence[str] = (), **variables: str
) -> Iterator[Product]:
    """Run `detectviz up` in an empty environment and folder, as on its first day."""
    product = _product(data_dir, variables)
    with running(product, "all", arguments=arguments):
        yield product


@contextmanager
def standard_product(
    data_dir: Path,
    *,
    database_url: str,
    redis_url: str,
    workers: int = 2,
    together: bool = False,
    **variables: str,
) -> Iterator[Product]:
    """Run web, workers and beat as separate deployments' processes on PostgreSQL and Redis.

    They start at once: the others wait for the web to make the tables.
    ``together`` one supervisor runs one process of each role, which starts much sooner.
    """
    shared = {
        "DETECTVIZ_DATABASE_URL": database_url,
        "DETECTVIZ_REDIS_URL": redis_url,
        "DETECTVIZ_SECRET_KEY": secrets.token_urlsafe(48),
        "DETECTVIZ_MASTER_KEYS": secrets.token_urlsafe(48),
        "DETECTVIZ_ALLOWED_HOSTS": "127.0.0.1",
        "DETECTVIZ_EGRESS_ALLOW": "127.0.0.0/8",
        "DETECTVIZ_STATIC_DIR": str(collected_static()),
        **variables,
    }
    product = _product(data_dir, shared)
    with ExitStack() as stack:
        if together:
            stack.enter_context(running(product, "all"))
            yield product
            return
        names = ["web", *(f"worker-{number}" for number in range(workers)), "beat"]
        applications = [(name.partition("-")[0], name) for name in names]
        with ThreadPoolExecutor(len(applications)) as starting:
            started = [
                starting.submit(stack.enter_context, running(product, *each))
                for each in applications
            ]
        for each in started:
            each.result()
        yield product
        for process in product.processes.values():  # they end beside each other, too
            process.terminate()


@contextmanager
def running(
    product: Product, application: str, name: str = "", *, arguments: Sequence[str] = ()
) -> Iterator[None]:
    """Run one supervisor; ready when its web answers ``/healthz``, or its sys port does."""
    name = name or application
    environment = dict(product.environment)
    port = product.port
    if application not in {"all", "web"}:
        port = free_port()
        environment["DETECTVIZ_SYS_PORT"] = str(port)
    argv = [sys.executable, str(ROOT / "manage.py"), "up", "--app", application, *arguments]
    with run_server(
        argv,
        ready=lambda: _healthy(port),
        timeout_s=START_TIMEOUT_S,
        stop_timeout_s=40,
        cwd=product.data_dir,
        env=environment,
    ) as process:
        product.processes[name] = process
        yield


def _product(data_dir: Path, variables: Mapping[str, str]) -> Product:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - the test's own
        "HOME": str(data_dir),
        "LANG": "C.UTF-8",
        "DETECTVIZ_DATA_DIR": str(data_dir / "var"),
        "DETECTVIZ_PORT": str(port),
        "DETECTVIZ_SYS_PORT": str(free_port()),
        "DETECTVIZ_ADMIN_PASSWORD": ADMIN_PASSWORD,
        **variables,
    }
    return Product(port=port, environment=environment, data_dir=data_dir)


def _healthy(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
