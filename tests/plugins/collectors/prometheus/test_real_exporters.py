"""The same targets, scraped by a real Prometheus and by us: the same series, the same values."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen  # noqa: TID251 - the oracle is asked, not the product

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary
from prometheus_client.exposition import start_http_server

from detectviz.contracts.exposition.numbers import format_float
from detectviz.contracts.exposition.series import labels_of
from detectviz.contracts.types import CheckState
from detectviz.testing.services import free_port, run_server
from tests.plugins.collectors.prometheus.scrapes import Maker, only

pytestmark = [
    pytest.mark.services("prometheus", "prometheus-blackbox-exporter"),
    pytest.mark.timeout(120),
]
LabelSet = frozenset[tuple[str, str]]
# They differ from scrape to scrape by what they say.
SCRAPE = {"scrape_duration_seconds", "scrape_series_added"}


def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    Counter("jobs", "Jobs done.", ["queue", "path"], registry=made).labels("a b", 'x"\\y').inc(3)
    Gauge("temperature_celsius", "Now, in °C.", registry=made).set(-21.5)
    seconds = Histogram("seconds", "Took.", registry=made, buckets=(0.1, 1, 2.5, 1e6))
    for value in (0.05, 0.7, 2, 30):
        seconds.observe(value, {"trace_id": f"t{value}"})
    Summary("size_bytes", "Large.", registry=made).observe(12)
    Info("build", "Of it.", registry=made).info({"version": "1.2.3"})
    return made


@contextmanager
def exporters(folder: Path) -> Iterator[list[str]]:
    """Run blackbox_exporter and prometheus_client's server; yield their addresses."""
    settings = folder / "blackbox.yml"
    settings.write_text("modules: {http_2xx: {prober: http}}")
    port = free_port()
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry())
    argv = ["prometheus-blackbox-exporter", f"--config.file={settings}"]
    argv.append(f"--web.listen-address=127.0.0.1:{port}")
    try:
        with run_server(argv, ready=lambda: _answers(port)):
            yield [f"127.0.0.1:{port}", f"127.0.0.1:{server.server_port}"]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator[int]:
    """Run a Prometheus that scrapes ``targets`` and itself; yield its port."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [
            {
                "job_name": "node",
                "static_configs": [{"targets": [*targets, f"127.0.0.1:{port}"]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    argv = ["prometheus", f"--config.file={folder / 'prometheus.yml'}"]
    argv += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with run_server(argv, ready=lambda: _answers(port)):
        yield port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def query(port: int, expression: str) -> dict[LabelSet, float]:
    url = f"http://127.0.0.1:{port}/api/v1/query?{urlencode({'query': expression})}"
    with urlopen(url, timeout=10) as answer:
        document: Any = json.load(answer)
    return {
        frozenset(_as_prometheus_3(each["metric"]).items()): float(each["value"][1])
        for each in document["data"]["result"]
    }


def _as_prometheus_3(labels: dict[str, str]) -> dict[str, str]:
    """Write bounds as Prometheus 3 does; Debian's is 2."""
    numbers: dict[str, str] = {}
    for name in {"le", "quantile"} & labels.keys():
        numbers[name] = format_float(float(labels[name]))
    return {**labels, **numbers}


async def until_all_up(port: int, count: int) -> None:
    for _ in range(300):
        try:
            if len(query(port, 'up{job="node"} == 1')) == count:
                return
        except OSError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("Prometheus does not see its targets up")


async def test_the_same_series_with_the_same_values_as_prometheus(
    make: Maker, tmp_path: Path
) -> None:
    with exporters(tmp_path) as targets, prometheus(tmp_path, targets) as port:
        await until_all_up(port, 3)
        monitor = make(*targets, f"127.0.0.1:{port}")
        await monitor.check()
        result = await monitor.check()
        theirs = query(port, '{job="node"}')
    assert result.state is CheckState.UP, result.message
    assert result.scrapes is not None
    ours: dict[LabelSet, float] = {}
    for scrape in result.scrapes:
        columns = scrape.exposition
        for place, owner in enumerate(columns.owners.tolist()):
            labels = frozenset(labels_of(columns.series[owner]).items())
            ours[labels] = float(columns.values[place])
    own = f"127.0.0.1:{port}"  # it grows series while it is being asked
    assert _without(ours, own).keys() == _without(theirs, own).keys()
    assert len(_of(ours, own).keys() & _of(theirs, own).keys()) > 0.9 * len(_of(theirs, own))
    fixed = f"127.0.0.1:{targets[1].rpartition(':')[2]}"
    assert _comparable(_of(ours, fixed)) == _comparable(_of(theirs, fixed))
    assert len(_of(ours, fixed)) == 20


def _of(found: dict[LabelSet, float], instance: str) -> dict[LabelSet, float]:
    return {key: value for key, value in found.items() if dict(key)["instance"] == instance}


def _without(found: dict[LabelSet, float], instance: str) -> dict[LabelSet, float]:
    return {key: value for key, value in found.items() if dict(key)["instance"] != instance}


def _comparable(found: dict[LabelSet, float]) -> dict[LabelSet, float]:
    return {key: value for key, value in found.items() if dict(key)["__name__"] not in SCRAPE}


async def test_a_target_that_is_killed_is_down_at_the_next_check(
    make: Maker, tmp_path: Path
) -> None:
    with exporters(tmp_path) as targets:
        monitor = make(targets[0])
        before = only(await monitor.check())
    result = await monitor.check()
    after = only(result)
    assert result.state is CheckState.DOWN
    assert len(before.exposition.series) > 20
    assert {labels_of(each)["__name__"] for each in after.exposition.series} == {
        "up",
        "scrape_duration_seconds",
        "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling",
        "scrape_series_added",
    }
