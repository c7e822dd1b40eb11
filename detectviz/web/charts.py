"""What ``static/js/chart.js`` draws."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from django.http import JsonResponse

Unit = Literal["", "s", "bytes", "ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartSeries:
    """One line; None is a gap. ``state`` colours it as that state instead of by position."""

    label: str
    values: Sequence[float | None]
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A dashed line across the chart."""

    value: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A tinted stretch of time (Unix seconds) in the colour of a state."""

    start: float
    end: float
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A time-series chart. ``times`` are Unix seconds, as long as every series' values."""

    times: Sequence[float]
    series: Sequence[ChartSeries]
    unit: Unit = ""
    start: float | None = None
    end: float | None = None
    is_stacked: bool = False
    thresholds: Sequence[Threshold] = ()
    bands: Sequence[Band] = ()
    empty: str = ""

    def response(self) -> JsonResponse:
        """Return the chart as the browser reads it."""
        return JsonResponse(
            {
                "times": list(self.times),
                "series": [asdict(each) for each in self.series],
                "unit": self.unit,
                "from": self.start,
                "to": self.end,
                "is_stacked": self.is_stacked,
                "thresholds": [asdict(each) for each in self.thresholds],
                "bands": [
                    {"from": each.start, "to": each.end, "state": each.state} for each in self.bands
                ],
                "empty": self.empty,
            }
        )


def chart_problem(message: str, *, status: int = 422) -> JsonResponse:
    """Return an answer whose message stands where the chart would."""
    return JsonResponse({"error": message}, status=status)
