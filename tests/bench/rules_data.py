"""Series and rules that ``bench_rules`` gives to both sides."""

from collections.abc import Iterator
from typing import Final

SLOT_S: Final = 15
FIRING: Final = 60  # every 60th rule fires
_PER_INSTANCE: Final = 20


def expressions(rules: int) -> list[str]:
    """Return expressions: four in five of one series, the fifth of an instance's 20 series."""
    found = []
    for number in range(rules):
        threshold = 1e9 if number % FIRING else -1.0
        instance = f"10.0.{number // _PER_INSTANCE // 250}.{number // _PER_INSTANCE % 250}:9100"
        if number % 5:
            found.append(
                f'rate(work_total{{instance="{instance}",n="{number}"}}[5m]) > {threshold}'
            )
        else:
            found.append(f'sum(rate(work_total{{instance="{instance}"}}[5m])) > {threshold}')
    return found


def samples_at(series: int, at_ms: int) -> Iterator[tuple[dict[str, str], float]]:
    """Yield a sample of each series; counters that rise by a rate of their own."""
    for number in range(series):
        address = number // _PER_INSTANCE
        instance = f"10.0.{address // 250}.{address % 250}:9100"
        labels = {"__name__": "work_total", "job": "bench", "instance": instance, "n": str(number)}
        yield labels, float((at_ms // 1000 % 10_000_000) * (1 + number % 7))
