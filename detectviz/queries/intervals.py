"""The distance of points that fits a number of them into a range."""

from bisect import bisect_right

from detectviz.contracts.datasource import TimeRange

_S, _M, _H, _D = 1_000, 60_000, 3_600_000, 86_400_000
_NICE_MS = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, _S, 2 * _S, 5 * _S, 10 * _S, 15 * _S, 20 * _S, 30 * _S,
    _M, 2 * _M, 5 * _M, 10 * _M, 15 * _M, 20 * _M, 30 * _M, _H, 2 * _H, 3 * _H, 6 * _H, 12 * _H,
    _D, 7 * _D, 30 * _D, 365 * _D,
)  # fmt: skip


def fitting_interval_ms(span: TimeRange, points: int) -> int:
    """Return the nearest usual interval, as Grafana rounds it."""
    exact = (span.end_ms - span.start_ms) / max(1, points)
    place = bisect_right(_NICE_MS, exact)
    if place == 0:
        return _NICE_MS[0]
    if place == len(_NICE_MS):
        return _NICE_MS[-1]
    below, above = _NICE_MS[place - 1], _NICE_MS[place]
    return below if exact < (below + above) / 2 else above
