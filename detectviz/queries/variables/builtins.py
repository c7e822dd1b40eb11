"""Variables every query has: its time range and the distance of its points."""

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.durations import format_duration
from detectviz.queries.variables.model import Variable

SCRAPE_INTERVAL_MS = 15_000
_S = 1000


def builtin_variables(
    span: TimeRange, interval_ms: int, *, scrape_interval_ms: int = SCRAPE_INTERVAL_MS
) -> dict[str, Variable]:
    """Return Grafana's ``__from``, ``__to``, ``__interval``, ``__range``, ``__rate_interval`` ….

    The rate interval is four scrapes, or one scrape more than the interval if that is longer.
    """
    range_ms = max(0, span.end_ms - span.start_ms)
    rate_ms = max(interval_ms + scrape_interval_ms, 4 * scrape_interval_ms)
    texts = {
        "__from": str(span.start_ms),
        "__to": str(span.end_ms),
        "__interval": format_duration(max(1, interval_ms) / _S),
        "__interval_ms": str(max(1, interval_ms)),
        "__range": f"{max(1, round(range_ms / _S))}s",
        "__range_s": str(max(1, round(range_ms / _S))),
        "__range_ms": str(range_ms),
        "__rate_interval": format_duration(rate_ms / _S),
        "__rate_interval_ms": str(rate_ms),
    }
    return {name: Variable(name=name, values=(text,), is_own=True) for name, text in texts.items()}
