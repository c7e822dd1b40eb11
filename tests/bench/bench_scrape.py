"""Reading a scrape of 10,000 known series, beside prometheus_client's parser in the same run."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from detectviz.contracts.exposition.cache import SeriesCache
from detectviz.contracts.exposition.text import parse_text
from tests.bench.table import Row, show

GOAL_LINES_PER_S: Final = 3e6
_FAMILIES: Final = 100
_ROUNDS: Final = 5


def main() -> int:
    """Print the table: microseconds of CPU per 1,000 lines, less is better."""
    show(_rows())
    return 0


def _rows() -> Iterator[Row]:
    goal = 1e9 / GOAL_LINES_PER_S
    theirs = _per_1000(_read_by_client, _bodies(1.0)[:1])
    for share in (1.0, 0.3, 0.0):
        cache = SeriesCache()
        bodies = _bodies(share)
        parse_text(bodies[0], cache)
        ours = _per_1000(lambda body, cache=cache: parse_text(body, cache), bodies * _ROUNDS)  # type: ignore[misc] # bound at once
        yield Row(
            name=f"1,000 lines, {share:.0%} of the values changed", value=ours, unit="us", goal=goal
        )
        yield Row(name="  as a share of prometheus_client", value=ours / theirs, unit="x")
    first = _per_1000(parse_text, _bodies(1.0)[:1])
    yield Row(name="1,000 lines of series never seen", value=first, unit="us")
    yield Row(name="prometheus_client, 1,000 lines", value=theirs, unit="us")


def _per_1000(read: Callable[[bytes], object], bodies: list[bytes]) -> float:
    best = float("inf")
    for body in bodies:
        started = time.process_time()
        read(body)
        best = min(best, time.process_time() - started)
    return best * 1e9 / bodies[0].count(b"\n")


def _read_by_client(body: bytes) -> int:
    return sum(len(each.samples) for each in text_string_to_metric_families(body.decode()))


def _bodies(share: float) -> list[bytes]:
    """Return bodies of the same series; from one to the next ``share`` of the values changes."""
    chance = random.Random(7)
    values = [chance.random() * 1e6 for _ in range(100 * _FAMILIES)]
    bodies = []
    for _ in range(3):
        values = [chance.random() * 1e6 if chance.random() < share else value for value in values]
        bodies.append(_body(values))
    return bodies


def _body(values: list[float]) -> bytes:
    lines = []
    for family in range(_FAMILIES):
        lines += [f"# HELP metric_{family} Some help text.", f"# TYPE metric_{family} gauge"]
        lines += [
            f'metric_{family}{{instance="host-{place:03d}.example.org",'
            f'path="/api/v1/thing/{place}",code="200"}} {value:.6g}'
            for place, value in enumerate(values[family * 100 : family * 100 + 100])
        ]
    return ("\n".join(lines) + "\n").encode()
