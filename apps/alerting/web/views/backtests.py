"""What a rule of the form would have done over the last days."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_POST

from apps.alerting.services.backtest_requests import DEFAULT_INTERVAL, DEFAULT_RANGE
from apps.alerting.services.backtests import Backtest, Firing, firings_by_labels, rule_backtest
from apps.alerting.services.previews import Line, Threshold, rule_lines
from apps.alerting.web.views.edit import chosen_rule, line_label
from apps.series.selectors import Tenant
from detectviz.clock import utc_now
from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.resources.errors import InvalidFieldsError
from detectviz.web.charts import Band, Chart, ChartSeries
from detectviz.web.charts import Threshold as ChartThreshold
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

_PARTIAL = "alerting/partials/_rule_backtest.html"
_MOST_BANDS = 200
_MOST_ROWS = 20


@dataclass(frozen=True)
class Row:
    """The firings of one label set."""

    labels: Mapping[str, str]
    firings: list[Firing]


@dataclass(frozen=True)
class BacktestPage:
    """When a rule would have fired."""

    scope: OrgScope
    found: Backtest | None = None
    timestamps_ms: tuple[int, ...] = ()
    lines: tuple[Line, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        assert self.found is not None
        if not self.found.total:
            return "Would not have fired"
        times = "once" if self.found.total == 1 else f"{self.found.total} times"
        return f"Would have fired {times}"

    @property
    def tone(self) -> str:
        """The state whose colour fits."""
        assert self.found is not None
        return "firing" if self.found.total else "unknown" if self.found.errors else "ok"

    @property
    def rows(self) -> list[Row]:
        """The label sets that fired most."""
        assert self.found is not None
        return [Row(*group) for group in firings_by_labels(self.found.firings)[:_MOST_ROWS]]

    @cached_property
    def chart(self) -> str:
        """The expression with the times it fired, for the chart."""
        assert self.found is not None
        end = self.found.end.timestamp()
        chart = Chart(
            times=[at / 1000 for at in self.timestamps_ms],
            series=[
                ChartSeries(label=line_label(one.labels), values=one.values) for one in self.lines
            ],
            start=self.found.start.timestamp(),
            end=end,
            thresholds=_mark(self.found.threshold),
            bands=[
                Band(
                    start=firing.fired_at.timestamp(),
                    end=firing.resolved_at.timestamp() if firing.resolved_at else end,
                    state="firing",
                )
                for firing in self.found.firings[:_MOST_BANDS]
            ],
            empty="No series in this time.",
        )
        return json.dumps(json.loads(chart.response().content))


@require_POST
@org_page("rulegroups:read")
def rule_backtested(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what one rule of the submitted form (``preview=rules/0``) would have done."""
    scope.access.require("series:read")
    try:
        page = _page(scope, chosen_rule(request), request.POST)
    except InvalidFieldsError as error:
        told = tuple(f"{name}: {' '.join(text)}" for name, text in error.fields.items())
        page = BacktestPage(scope, problems=told)
    return render_page(request, _PARTIAL, page)


def _page(scope: OrgScope, rule: Mapping[str, object], form: QueryDict) -> BacktestPage:
    tenant: Tenant = scope.org
    end = utc_now()
    span = timedelta(milliseconds=parse_duration_ms(DEFAULT_RANGE))
    found = rule_backtest(
        tenant=tenant,
        rule={**rule, "alert": rule.get("alert") or "Backtest"},
        start=end - span,
        end=end,
        interval_ms=_duration_ms("interval", form.get("interval") or DEFAULT_INTERVAL),
        query_offset_ms=_duration_ms("query_offset", form.get("query_offset") or "0s"),
    )
    times, lines = rule_lines(tenant=tenant, rule=rule, at=end, shown_s=span.total_seconds())
    return BacktestPage(scope, found, tuple(times), lines)


def _duration_ms(name: str, text: str) -> int:
    try:
        return parse_duration_ms(text)
    except DurationError as error:
        raise InvalidFieldsError({name: [str(error)]}) from error


def _mark(threshold: Threshold | None) -> list[ChartThreshold]:
    if threshold is None:
        return []
    label = f"{threshold.operator} {threshold.value:g}"
    return [ChartThreshold(value=threshold.value, label=label)]
