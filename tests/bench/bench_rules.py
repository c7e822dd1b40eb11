"""Cycles of 1,000 and 10,000 alert rules with their states kept, beside Prometheus.

Four in five rules read one series, the fifth the 20 series of an instance; one in 60 fires.
Ratios are CPU seconds of ours over CPU seconds of Prometheus, both in this run.
"""

from collections.abc import Iterator
from typing import Final

from tests.bench.django_child import measured_in_child
from tests.bench.rules_peer import prometheus_cycle_s
from tests.bench.table import Row, show

GOAL_RATIO: Final = 0.05
GOAL_CPU_S: Final = 60e-3  # of 10,000 rules
SIZES: Final = (1_000, 10_000)


def main() -> int:
    """Print the table."""
    show(row for rules in SIZES for row in _rows(rules))
    return 0


def _rows(rules: int) -> Iterator[Row]:
    found = measured_in_child("tests.bench.rules_child", BENCH_RULES=str(rules))
    goal_s = GOAL_CPU_S * rules / 10_000
    name = f"{rules:,} rules"
    yield Row(name=f"{name}, CPU of a cycle", value=found["cpu"], unit="s", goal=goal_s)
    yield Row(name=f"{name}, wall time of a cycle", value=found["wall"], unit="s")
    yield Row(name=f"{name}, CPU of the first cycle", value=found["first"], unit="s")
    yield Row(name=f"{name}, CPU of the queries, fused", value=found["query"], unit="s")
    yield Row(name=f"{name}, CPU of the queries, one by one", value=found["single"], unit="s")
    peer = prometheus_cycle_s(rules)
    if peer is None:
        return
    cpu, told = peer
    yield Row(name=f"{name}, Prometheus: CPU of a cycle", value=cpu, unit="s")
    yield Row(name=f"{name}, Prometheus: group_last_duration", value=told, unit="s")
    ratio = found["cpu"] / cpu
    yield Row(name=f"{name}, cycle / Prometheus' CPU", value=ratio, unit="x", goal=GOAL_RATIO)
    ratio = found["query"] / cpu
    yield Row(name=f"{name}, queries / Prometheus' CPU", value=ratio, unit="x", goal=GOAL_RATIO)
