"""Debian's Alertmanager in real time, its webhooks recorded."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from detectviz.testing.services import find_program, free_port, http_is_ready, run_server
from tests.conformance.alertmanager.script import SCENARIO, Hush, Say, Scenario, configuration
from tests.conformance.alertmanager.told import Told


def run_theirs(scenarios: Sequence[Scenario], folder: Path) -> list[Told]:
    """Play every scenario at once; return what was told."""
    with (
        recording() as (hooks, told),
        alertmanager(configuration(scenarios, hooks), folder) as port,
    ):
        began, began_at = time.monotonic(), datetime.now(UTC)
        told.began = began
        for at_s, requests in _timetable(scenarios, began_at):
            time.sleep(max(0.0, began + at_s - time.monotonic()))
            for path, body in requests:
                post(port, path, body)
        ends_s = max(scenario.until_s for scenario in scenarios)
        time.sleep(max(0.0, began + ends_s - time.monotonic()))
        return list(told.found)


class Recording:
    """What arrived, since ``began`` on the monotonic clock."""

    def __init__(self) -> None:
        self.began = 0.0
        self.found: list[Told] = []

    def add(self, path: str, body: Any) -> None:
        """Write down one request."""
        self.found.append(Told(at_s=time.monotonic() - self.began, path=path, body=body))


@contextmanager
def recording() -> Iterator[tuple[int, Recording]]:
    """Run a webhook receiver; yield its port and what it was told."""
    told = Recording()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.add(self.path, json.loads(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Keep silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def alertmanager(config: Any, folder: Path) -> Iterator[int]:
    """Run an Alertmanager with a configuration; yield its port."""
    port = free_port()
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    argv = [
        find_program("prometheus-alertmanager") or "prometheus-alertmanager",
        f"--config.file={path}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]

    with run_server(argv, ready=lambda: http_is_ready(port), cwd=folder):
        yield port


def post(port: int, path: str, body: Any) -> None:
    """POST to the API; fail on a refusal."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"/api/v2/{path}", body=json.dumps(body), headers=headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    assert response.status == 200, text


def _timetable(
    scenarios: Sequence[Scenario], began: datetime
) -> list[tuple[float, list[tuple[str, Any]]]]:
    """Return what is sent when: silences first, then all alerts of the moment in one request."""
    moments: dict[float, tuple[list[Any], list[Any]]] = {}
    for scenario in scenarios:
        for step in scenario.steps:
            silences, alerts = moments.setdefault(step.at_s, ([], []))
            body = _body(step, scenario.name, began)
            (alerts if isinstance(step, Say) else silences).append(body)
    return [
        (at_s, [*(("silences", each) for each in silences), ("alerts", alerts)])
        for at_s, (silences, alerts) in sorted(moments.items())
    ]


def _body(step: Say | Hush, scenario: str, began: datetime) -> Any:
    def moment(seconds: float) -> str:
        return (began + timedelta(seconds=seconds)).isoformat()

    times = {"startsAt": moment(step.starts_s), "endsAt": moment(step.ends_s)}
    match step:
        case Say():
            labels = {SCENARIO: scenario, **step.labels}
            return {"labels": labels, "annotations": dict(step.annotations), **times}
        case Hush():
            matchers = [
                {"name": name, "value": value, "isRegex": False, "isEqual": True}
                for name, value in {SCENARIO: scenario, **step.matchers}.items()
            ]
            return {"matchers": matchers, "createdBy": "me", "comment": scenario, **times}
