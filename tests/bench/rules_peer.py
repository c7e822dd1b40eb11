"""Prometheus evaluating the rules of ``bench_rules`` on the same series in its head."""

import json
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from detectviz.testing.services import find_program, free_port, http_is_ready, run_server
from detectviz.tsdb.labels import label_key
from detectviz.tsdb.remote_write import HEADERS, compressed, encode_labels, encode_series
from tests.bench.rules_data import SLOT_S, expressions, samples_at

FILLED: Final = 20  # samples of each series: five minutes
INTERVAL_S: Final = 5
CYCLES: Final = 4


def prometheus_cycle_s(rules: int) -> tuple[float, float] | None:
    """Return CPU seconds and told duration of one cycle; None where Prometheus is missing.

    The CPU is the process's over some cycles less what it takes without rules.
    """
    program = find_program("prometheus")
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="detectviz-bench-") as folder:
        home, port = Path(folder), free_port()
        config = {"global": {"evaluation_interval": f"{INTERVAL_S}s"}, "rule_files": ["rules.json"]}
        (home / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
        argv = [
            program,
            f"--config.file={home}/prometheus.yml",
            f"--storage.tsdb.path={home}/data",
            "--web.enable-remote-write-receiver",
            "--web.enable-lifecycle",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
        with run_server(argv, ready=lambda: http_is_ready(port)) as process:
            time.sleep(1)
            _fill(port, rules)
            idle_s = _cpu_s(process.pid, CYCLES * INTERVAL_S)
            _give_rules(home, port, rules)
            while not _iterations(port):
                time.sleep(0.2)
            time.sleep(INTERVAL_S / 2)
            before = _iterations(port)
            busy_s = _cpu_s(process.pid, CYCLES * INTERVAL_S)
            cycles = _iterations(port) - before
            return max(0.0, busy_s - idle_s) / cycles, _metric(port, "_last_duration_seconds")


def _fill(port: int, rules: int) -> None:
    now_ms = int(time.time() * 1000)
    for back in range(FILLED, 0, -1):
        at_ms = now_ms - back * SLOT_S * 1000
        names, values = zip(*samples_at(rules, at_ms), strict=True)
        series = encode_series(
            [encode_labels(label_key(labels)) for labels in names],
            np.ones(rules, dtype=np.int64),
            np.full(rules, at_ms, dtype=np.int64),
            np.array(values),
            {},
        )
        _call(port, "POST", "/api/v1/write", compressed(series), HEADERS)


def _give_rules(home: Path, port: int, rules: int) -> None:
    written = [
        {"alert": f"Rule{at}", "expr": text, "for": "1m"}
        for at, text in enumerate(expressions(rules))
    ]
    groups = {"groups": [{"name": "bench", "rules": written}]}
    (home / "rules.json").write_text(json.dumps(groups), encoding="utf-8")
    _call(port, "POST", "/-/reload", b"", {})


def _cpu_s(pid: int, seconds: float) -> float:
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return float(sum(process.cpu_times()[:2]) - before)


def _iterations(port: int) -> float:
    return _metric(port, "_iterations_total")


def _metric(port: int, ending: str) -> float:
    text = _call(port, "GET", "/metrics", None, {}).decode()
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith(f"prometheus_rule_group{ending}{{"):
            return float(value)
    return 0.0


def _call(port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    assert response.status < 300, (path, response.status, answer[:300])
    connection.close()
    return answer
