"""How much of their error budgets SLOs have left, as their rules recorded it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.alerting.models import Slo
from apps.alerting.services.queries import rule_querier
from apps.alerting.services.slo_rules import ERROR_METRIC, LEFT_METRIC
from apps.series.services import series_store
from detectviz.clock import to_ms
from detectviz.contracts.types import JsonObject
from detectviz.promql.errors import PromqlError
from detectviz.tsdb.interface import StoreError

BURN_METRIC = "slo:burn_rate:ratio1h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an SLO stands: the worst of its series; None where nothing is recorded yet.

    ``budget_left`` is below 0 when more failed than may; ``burn_rate`` is 1 at a pace that uses
    the budget up exactly by the end of the period.
    """

    budget_left: float | None = None
    error_ratio: float | None = None
    burn_rate: float | None = None

    @property
    def state(self) -> str:
        """The state whose colour fits."""
        if self.budget_left is None:
            return "unknown"
        if self.budget_left <= 0:
            return "down"
        return "degraded" if (self.burn_rate or 0) > 1 else "ok"

    def as_json(self) -> JsonObject:
        """Return it for an answer."""
        return {
            "error_budget_left": self.budget_left,
            "error_ratio": self.error_ratio,
            "burn_rate_1h": self.burn_rate,
        }


def slo_standings(org: Any, slos: Sequence[Slo], *, now: datetime) -> dict[str, Standing]:
    """Return the standing of each SLO by its name; the queries do not depend on how many."""
    left = _worst(org, LEFT_METRIC, now, sign=-1)
    burning = _worst(org, BURN_METRIC, now)
    periods = {slo.spec["window"] for slo in slos}
    errors = {period: _worst(org, ERROR_METRIC + period, now) for period in periods}
    return {
        slo.name: Standing(
            budget_left=left.get(slo.name),
            error_ratio=errors[slo.spec["window"]].get(slo.name),
            burn_rate=burning.get(slo.name),
        )
        for slo in slos
    }


def _worst(org: Any, metric: str, now: datetime, *, sign: int = 1) -> dict[str, float]:
    """Return the largest value per SLO, or the smallest for a sign of -1."""
    querier = rule_querier(series_store(), org.uid)
    try:
        found = querier.vector(f'{metric}{{slo!=""}}', to_ms(now))
    except (PromqlError, StoreError):
        return {}
    worst: dict[str, float] = {}
    for labels, value in found:
        known = worst.get(labels["slo"])
        if value == value and (known is None or value * sign > known * sign):  # noqa: PLR0124 - NaN
            worst[labels["slo"]] = value
    return worst
