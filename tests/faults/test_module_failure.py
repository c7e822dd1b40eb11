"""A module fails in a real process: ordered stop, exit status, nothing lost; systemd is told."""

import json
import socket
from itertools import count
from pathlib import Path

import pytest

from detectviz.testing.http_server import Answer, http_server
from detectviz.testing.product import ROOT, Product, embedded_product, until
from detectviz.testing.receivers import web_target

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

MONITORS = 20
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.faults.failing_settings", "PYTHONPATH": str(ROOT)}


def monitors(url: str) -> str:
    return "\n---\n".join(
        f"""\
apiVersion: monitoring/v1
kind: Monitor
metadata: {{name: home-{number}}}
spec: {{type: http, interval: 1s, timeout: 1s, config: {{url: "{url}"}}}}"""
        for number in range(MONITORS)
    )


def results_stored(product: Product) -> int:
    answer = product.cli("query", "sum(count_over_time(probe_success[10m]))", "-o", "json")
    result = json.loads(answer)["result"]
    return int(float(result[0]["value"][1])) if result else 0


def test_all_stops_in_order_with_status_3_and_no_result_is_lost(tmp_path: Path) -> None:
    hits = count()
    seen = 0

    def answer(_: object) -> Answer:
        nonlocal seen
        seen = next(hits) + 1
        return Answer()

    with (
        http_server(answer) as server,
        embedded_product(tmp_path, arguments=("--one-process",), **SETTINGS) as product,
    ):
        product.cli("apply", "-f", "-", stdin=monitors(server.url))
        until(lambda: seen > 3 * MONITORS, "checks run")
        (product.data_dir / "var" / "fail").touch()
        process = product.processes["all"]
        assert process.wait(60) == 3
        assert not (product.data_dir / "var" / "detectviz-all.pid").exists()
        assert results_stored(product) == seen


def test_a_supervised_process_that_fails_is_started_again(tmp_path: Path) -> None:
    with web_target() as target, embedded_product(tmp_path, **SETTINGS) as product:
        first = product.pid_of("collector")
        (product.data_dir / "var" / "fail").touch()
        until(lambda: not Path(f"/proc/{first}").exists(), "the collector ended")
        (product.data_dir / "var" / "fail").unlink()
        assert product.pid_of("collector") != first
        product.cli("apply", "-f", "-", stdin=monitors(target.url))
        until(lambda: results_stored(product) > MONITORS, "checks run again")


def test_systemd_hears_of_readiness_life_and_the_end(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(address))
        receiver.settimeout(30)
        with embedded_product(
            tmp_path, NOTIFY_SOCKET=str(address), WATCHDOG_USEC="400000"
        ) as product:
            words = _hear(receiver, "READY=1")
            assert f"MAINPID={product.processes['all'].pid}" in words
            assert "STATUS=runs web, collector, control" in words
            _hear(receiver, "WATCHDOG=1")
            product.processes["all"].terminate()
            _hear(receiver, "STOPPING=1")
            assert product.processes["all"].wait(40) == 0


def _hear(receiver: socket.socket, word: str) -> list[str]:
    """Return the first message with ``word``; fail when none comes."""
    while True:
        words = receiver.recv(1000).decode().splitlines()
        if word in words:
            return words
