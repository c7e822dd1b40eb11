"""How much of their error budgets SLOs have left, as their rules recorded it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.alerting.models import Slo
from apps.alerting.services.previews import Line, rule_lines
from apps.alerting.services.queries import rule_querier
from apps.alerting.services.slo_rules import (
    ERROR_METRIC,
    LEFT_METRIC,
    LONG_WINDOWS,
    PLACEHOLDER,
    SHORT_WINDOWS,
    SloTerms,
    slo_terms,
)
from apps.series.services import series_store
from detectviz.clock import to_ms
from detectviz.contracts.types import JsonObject
from detectviz.promql.errors import PromqlError
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tsdb.interface import METRIC_NAME, StoreError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How fast the budget burns over one window; None where nothing is recorded yet.

    ``factor`` is 1 at a pace that uses the budget up at the end of the period. ``alerts`` are the
    factors above which an alert that looks at this window counts it, as (page or ticket, factor).
    """

    window: str
    error_ratio: float | None
    factor: float | None
    alerts: Sequence[tuple[str, float]]

    @property
    def is_too_fast(self) -> bool:
        """Return whether it burns faster than an alert that looks at it allows."""
        return self.factor is not None and any(self.factor > most for _, most in self.alerts)


def slo_burns(org: Any, slo: Slo, *, now: datetime) -> list[Burn]:
    """Return the burn rate over each window, from the shortest to the period."""
    terms = slo_terms(name=slo.name, title=slo.title, spec=slo.spec)
    querier = rule_querier(series_store(), org.uid)
    query = f'{{__name__=~"{ERROR_METRIC}.*",slo="{slo.name}"}}'
    found: dict[str, float] = {}
    try:
        for labels, value in querier.vector(query, to_ms(now)):
            window = labels[METRIC_NAME].removeprefix(ERROR_METRIC)
            if value == value:  # noqa: PLR0124 - not NaN
                found[window] = max(value, found.get(window, value))
    except (PromqlError, StoreError):
        found = {}
    return [
        Burn(
            window=window,
            error_ratio=found.get(window),
            factor=found[window] / terms.budget if window in found else None,
            alerts=list(_factors(terms, window)),
        )
        for window in (*SHORT_WINDOWS, *LONG_WINDOWS, terms.period)
    ]


def _factors(terms: SloTerms, window: str) -> Iterator[tuple[str, float]]:
    for kind, alert in (("page", terms.page), ("ticket", terms.ticket)):
        for rate in alert.rates if alert.is_enabled else ():
            if window in {rate.long, rate.short}:
                yield kind, rate.factor(terms.period)


def slo_history(
    org: Any, slo: Slo, *, now: datetime, span_s: float
) -> tuple[Sequence[int], Sequence[Line]]:
    """Return times (Unix milliseconds) and lines of the budget that was left."""
    rule = {"expr": f'{LEFT_METRIC}{{slo="{slo.name}"}}'}
    return rule_lines(tenant=org, rule=rule, at=now, shown_s=span_s)


def slo_tried(org: Any, terms: SloTerms, window: str, *, now: datetime) -> float | None:
    """Return the share that failed within a window by an SLO that is not saved.

    None without series. Raise InvalidFieldsError where a query is wrong.
    """
    querier = rule_querier(series_store(), org.uid)
    sums = [0.0, 0.0]
    for place, name in enumerate(("good", "total")):
        text = getattr(terms, name).replace(PLACEHOLDER, window)
        try:
            answer = querier.vector(text, to_ms(now))
        except (PromqlError, StoreError) as error:
            raise InvalidFieldsError({f"spec.sli.{name}": [str(error)]}) from error
        sums[place] = sum(value for _, value in answer if value == value)  # noqa: PLR0124 - not NaN
    return 1 - sums[0] / sums[1] if sums[1] else None


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
