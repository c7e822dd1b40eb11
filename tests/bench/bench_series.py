"""Series and PromQL beside Prometheus and VictoriaMetrics: the same data, queries and core.

Two data sets (1,000 series of 24 h, 10,000 of 6 h, every 15 s) go into each server by remote write;
then the thirteen queries of the goals as range and instant queries. Ratios below 1 mean that
Detectviz needs less. ``DETECTVIZ_BENCH_SERIES`` may name one of the data sets (``A``, ``B``).
"""

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Final

from tests.bench.series_data import DataSet
from tests.bench.series_servers import Server, servers
from tests.bench.table import Row, show

QUERIES: Final = {
    "raw": "node_load",
    "rate5m": "rate(http_requests_total[5m])",
    "sum_by_rate": "sum by (instance) (rate(http_requests_total[5m]))",
    "hq95": "histogram_quantile(0.95,"
    " sum by (job, le) (rate(http_request_duration_seconds_bucket[5m])))",
    "topk": "topk(5, sum by (instance) (rate(http_requests_total[5m])))",
    "avg_1h": "avg_over_time(node_memory_bytes[1h])",
    "binop_on": 'sum by (instance) (rate(http_requests_total{code=~"5.."}[5m]))'
    " / on (instance) sum by (instance) (rate(http_requests_total[5m]))",
    "absent": 'absent(up{job="nowhere"})',
    "subquery": 'max_over_time(sum(rate(http_requests_total{job="job-001"}[5m]))[30m:1m])',
    "label_replace": 'label_replace(up, "host", "$1", "instance", "host-(.*)")',
    "all_last": 'count(last_over_time({__name__=~".+"}[5m]))',
    "one_series": 'node_load{instance="host-0001",window="1"}',
    "quantile_ot": "quantile_over_time(0.9, sensor_reading[5m])",
}
REPEATS: Final = 8
SETTLE_S: Final = 140.0  # the log becomes blocks: maintenance comes every minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One way to ask: an instant, or a range of ``hours`` every ``step_s``."""

    name: str
    hours: float = 0
    step_s: int = 0

    def ask(self, server: Server, query: str, end_ms: int) -> bytes:
        """Ask one server."""
        end_s = end_ms / 1000 - 7
        if not self.step_s:
            return server.query("query", {"query": query, "time": f"{end_s:.3f}"})
        start_s = end_s - self.hours * 3600
        span = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": str(self.step_s)}
        return server.query("query_range", {"query": query, **span})


def main() -> int:
    """Print a table for each data set."""
    end_ms = (int(time.time()) - 60) * 1000
    sets = [
        DataSet(name="A", hosts=20, hours=24, per_request=1000, end_ms=end_ms),
        DataSet(name="B", hosts=200, hours=6, per_request=2000, end_ms=end_ms),
    ]
    wanted = os.environ.get("DETECTVIZ_BENCH_SERIES", "AB")  # noqa: TID251 - the bench's own switch
    for data in sets:
        if data.name in wanted:
            show(_measured(data))
    return 0


def _measured(data: DataSet) -> Iterator[Row]:
    with servers(("detectviz", "prometheus", "victoria-metrics")) as running:
        ours, peers = running[0], running[1:]
        yield from _ingestion(data, ours, peers)
        time.sleep(SETTLE_S)
        yield from _sizes(data, ours, peers)
        shapes = [Shape(name="range 6h/60s", hours=6, step_s=60), Shape(name="instant")]
        if data.hours >= 24:
            shapes.insert(1, Shape(name="range 24h/240s", hours=24, step_s=240))
        for shape in shapes:
            yield from _queries(data, shape, ours, peers)


def _ingestion(data: DataSet, ours: Server, peers: list[Server]) -> Iterator[Row]:
    """Send everything to every server in turn; rates in thousands of samples a second."""
    speeds: dict[str, tuple[float, float]] = {}
    for server in [ours, *peers]:
        sending, cpu = 0.0, server.cpu_s()
        for body in data.requests():
            began = time.perf_counter()
            server.write(body)
            sending += time.perf_counter() - began
        per_cpu = data.samples / max(server.cpu_s() - cpu, 1e-9)
        speeds[server.name] = (data.samples / sending, per_cpu)
        yield Row(
            name=f"{data.name}: {server.name}: ingested a second",
            value=speeds[server.name][0] / 1000,
            unit="k",
        )
        yield Row(
            name=f"{data.name}: {server.name}: ingested per CPU second",
            value=per_cpu / 1000,
            unit="k",
        )
    for peer in peers:
        goal = 0.5 if peer.name == "prometheus" else None
        yield Row(
            name=f"{data.name}: time to ingest / {peer.name}",
            value=speeds[peer.name][0] / speeds[ours.name][0],
            unit="x",
            goal=goal,
        )


def _sizes(data: DataSet, ours: Server, peers: list[Server]) -> Iterator[Row]:
    for server in [ours, *peers]:
        size = server.disk_bytes() / data.samples
        yield Row(name=f"{data.name}: {server.name}: bytes a sample", value=size, unit="B")
        yield Row(name=f"{data.name}: {server.name}: memory", value=server.pss_mb(), unit="MB")


def _queries(data: DataSet, shape: Shape, ours: Server, peers: list[Server]) -> Iterator[Row]:
    ratios: dict[str, list[float]] = {peer.name: [] for peer in peers}
    cold_ratios: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for name, query in QUERIES.items():
        colds, warms = {}, {}
        for server in [ours, *peers]:
            took = [_timed(partial(shape.ask, server, query, data.end_ms)) for _ in range(REPEATS)]
            colds[server.name], warms[server.name] = took[0], median(took[1:])
        for peer in peers:
            ratios[peer.name].append(warms[ours.name] / warms[peer.name])
            cold_ratios[peer.name].append(colds[ours.name] / colds[peer.name])
        detail = " / ".join(f"{warms[server.name] * 1000:.2f}" for server in [ours, *peers])
        yield Row(
            name=f"{data.name} {shape.name} {name}: {detail} ms",
            value=warms[ours.name] / warms[peers[0].name] if peers else math.nan,
            unit="x",
        )
    for peer in peers:
        yield Row(
            name=f"{data.name} {shape.name}: first time, geomean / {peer.name}",
            value=_geomean(cold_ratios[peer.name]),
            unit="x",
            goal=_goal(data, shape, peer, is_warm=False),
        )
        yield Row(
            name=f"{data.name} {shape.name}: repeated, geomean / {peer.name}",
            value=_geomean(ratios[peer.name]),
            unit="x",
            goal=_goal(data, shape, peer, is_warm=True),
        )


def _goal(data: DataSet, shape: Shape, peer: Server, *, is_warm: bool) -> float | None:
    if peer.name == "victoria-metrics":
        longest = 1.2 if shape.hours > 6 else 1.0
        return longest if shape.step_s and is_warm else None
    if not shape.step_s:
        return 0.7 if is_warm else None
    return 0.25 if is_warm else 0.35


def _timed(call: Callable[[], bytes]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _geomean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan
