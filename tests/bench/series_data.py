"""The data set of the series benches: what a fleet of hosts writes, and its remote-write bodies.

A host has 50 series: 20 HTTP counters, 10 histogram buckets, 5 loads, 4 CPU counters, 3 sizes of
memory, 7 noisy gauges, ``up``. Scrapes come every 15 s, each host with a phase of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import cramjam
import numpy as np
import numpy.typing as npt

STEP_MS: Final = 15_000
PER_HOST: Final = 50
HOSTS_PER_JOB: Final = 4
_TIME_BYTES: Final = 6  # a varint of milliseconds between 2004 and 2109
_SAMPLE_BYTES: Final = 1 + 8 + 1 + _TIME_BYTES
_BOUNDS: Final = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "5", "+Inf")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """50 series of each of ``hosts`` over ``hours``, sent ``per_request`` series at a time."""

    name: str
    hosts: int
    hours: int
    per_request: int
    end_ms: int

    @property
    def series(self) -> int:
        """Count the series."""
        return self.hosts * PER_HOST

    @property
    def scrapes(self) -> int:
        """Count the samples of each series."""
        return self.hours * 3_600_000 // STEP_MS

    @property
    def samples(self) -> int:
        """Count all samples."""
        return self.series * self.scrapes

    @property
    def start_ms(self) -> int:
        """Tell the time of the first scrape."""
        return self.end_ms - self.scrapes * STEP_MS

    def requests(self) -> Iterator[bytes]:
        """Yield remote write 1.0 bodies, a sample per series each, in order of time."""
        hosts = self.per_request // PER_HOST
        writers = [
            _Writer(range(first, min(first + hosts, self.hosts)))
            for first in range(0, self.hosts, hosts)
        ]
        for scrape in range(self.scrapes):
            at_ms = self.start_ms + scrape * STEP_MS
            yield from (writer.body(scrape, at_ms) for writer in writers)


def host_labels(host: int) -> list[dict[str, str]]:
    """Return the label sets of one host's series."""
    common = {"instance": f"host-{host:04}", "job": f"job-{host // HOSTS_PER_JOB:03}"}
    found: list[dict[str, str]] = []

    def add(metric: str, **labels: str) -> None:
        found.append({"__name__": metric, **common, **labels})

    for path, code in product(
        ["/", "/login", "/cart", "/search", "/pay"], ["200", "302", "404", "500"]
    ):
        add("http_requests_total", path=path, code=code)
    for bound in _BOUNDS:
        add("http_request_duration_seconds_bucket", le=bound)
    for window in ["1", "5", "15", "30", "60"]:
        add("node_load", window=window)
    for mode in ["user", "system", "idle", "iowait"]:
        add("node_cpu_seconds_total", mode=mode)
    for kind in ["used", "cached", "free"]:
        add("node_memory_bytes", kind=kind)
    for sensor in range(7):
        add("sensor_reading", sensor=str(sensor))
    add("up")
    return found


class _Writer:
    """Bodies of one group of hosts: a template whose times and values are filled in."""

    def __init__(self, hosts: range) -> None:
        parts = [_series(labels) for host in hosts for labels in host_labels(host)]
        self._body = np.frombuffer(b"".join(parts), np.uint8).copy()
        ends = np.cumsum([len(part) for part in parts])
        self._values_at = (ends - _SAMPLE_BYTES + 1)[:, None] + np.arange(8)
        self._times_at = (ends - _TIME_BYTES)[:, None] + np.arange(_TIME_BYTES)
        self._random = np.random.default_rng(hosts.start)
        self._phase = np.repeat(self._random.integers(0, STEP_MS, len(hosts)), PER_HOST)
        self._hosts = len(hosts)
        self._totals = np.zeros((self._hosts, 34))
        self._rates = self._random.uniform(0.2, 40, (self._hosts, 34))

    def body(self, scrape: int, at_ms: int) -> bytes:
        values = self._values(scrape).reshape(-1)
        self._body[self._values_at] = values.view(np.uint8).reshape(-1, 8)
        times = at_ms + self._phase
        groups = times[:, None] >> (7 * np.arange(_TIME_BYTES)) & 0x7F
        groups[:, :-1] |= 0x80
        self._body[self._times_at] = groups.astype(np.uint8)
        return bytes(cramjam.snappy.compress_raw(self._body.tobytes()))

    def _values(self, scrape: int) -> Floats:
        rng, hosts = self._random, self._hosts
        self._totals += rng.poisson(self._rates)
        buckets = np.cumsum(self._totals[:, 20:30], axis=1)
        wave = np.sin(scrape / 200 + np.arange(hosts))[:, None]
        load = np.round(2 + wave + rng.normal(0, 0.3, (hosts, 5)), 2)
        memory = np.rint((4 + wave + rng.normal(0, 0.05, (hosts, 3))) * 2**20) * 1024
        noise = rng.normal(20, 3, (hosts, 7))
        up = np.ones((hosts, 1))
        cpu = np.round(self._totals[:, 30:] / 100, 2)
        return np.hstack([self._totals[:, :20], buckets, load, cpu, memory, noise, up])


def _series(labels: dict[str, str]) -> bytes:
    named = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
    )
    sample = b"\x09" + bytes(8) + b"\x10" + bytes(_TIME_BYTES)
    return _field(1, named + _field(2, sample))


def _field(number: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([number << 3 | 2]) + length + content
