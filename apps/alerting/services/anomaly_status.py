"""What an anomaly rule judges now, in words: the value, what is usual, how far that spreads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.alerting.models import AnomalyRule
from apps.alerting.services.anomaly_rules import HIGH, LOW, MEDIAN, VALUE
from apps.alerting.services.previews import Line, rule_lines
from apps.alerting.services.queries import rule_querier
from apps.series.services import series_store
from detectviz.clock import to_ms
from detectviz.promql.errors import PromqlError
from detectviz.tsdb.interface import METRIC_NAME, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One series now; without a band it has no two weeks of history yet."""

    labels: Mapping[str, str]
    value: float
    low: float | None
    high: float | None
    median: float | None

    @property
    def side(self) -> str:
        """Where the value lies: ``above``, ``below``, ``usual``, or empty without a band."""
        if self.low is None or self.high is None:
            return ""
        if self.value > self.high:
            return "above"
        return "below" if self.value < self.low else "usual"


def anomaly_judgements(org: Any, rule: AnomalyRule, *, now: datetime) -> list[Judgement]:
    """Return what was recorded last of each series, the unusual first."""
    querier = rule_querier(series_store(), org.uid)
    names = f"{VALUE}|{LOW}|{HIGH}|{MEDIAN}"
    query = f'{{__name__=~"{names}",anomaly="{rule.name}"}}'
    try:
        found = querier.vector(query, to_ms(now))
    except (PromqlError, StoreError):
        return []
    series: dict[frozenset[tuple[str, str]], dict[str, float]] = {}
    for labels, value in found:
        own = frozenset((k, v) for k, v in labels.items() if k not in {METRIC_NAME, "anomaly"})
        series.setdefault(own, {})[labels[METRIC_NAME]] = value
    judged = [
        Judgement(
            labels=dict(sorted(own)),
            value=values[VALUE],
            low=values.get(LOW),
            high=values.get(HIGH),
            median=values.get(MEDIAN),
        )
        for own, values in series.items()
        if VALUE in values
    ]
    order = ("above", "below", "usual", "")
    return sorted(judged, key=lambda one: (order.index(one.side), sorted(one.labels.items())))


def anomaly_history(
    org: Any, rule: AnomalyRule, labels: Mapping[str, str], *, now: datetime, span_s: float
) -> tuple[Sequence[int], Sequence[Line]]:
    """Return times (Unix milliseconds) and lines of one series: value, low, high."""
    own = "".join(f",{name}={_quoted(value)}" for name, value in labels.items())
    query = f'{{__name__=~"{VALUE}|{LOW}|{HIGH}",anomaly="{rule.name}"{own}}}'
    return rule_lines(tenant=org, rule={"expr": query}, at=now, shown_s=span_s)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
