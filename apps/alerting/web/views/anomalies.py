"""Anomaly rules: what they judge now and why, editing, what they would have told of the past."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from csp.constants import NONCE
from csp.decorators import csp_update
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.alerting.models import AlertEvent, AnomalyRule
from apps.alerting.selectors import anomaly_rule_get, anomaly_rule_list, group_events
from apps.alerting.services.anomaly_backtests import AnomalyBacktest, anomaly_backtest
from apps.alerting.services.anomaly_rules import anomaly_terms, watched_expr
from apps.alerting.services.anomaly_status import (
    Judgement,
    anomaly_history,
    anomaly_judgements,
)
from apps.alerting.services.previews import Preview, rule_preview
from apps.alerting.web.editors import ANOMALY_EDITOR
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.services import resource_delete
from detectviz.web.charts import Band, Chart, ChartSeries
from detectviz.web.forms import Errors, field_errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.specs import draft_problems, spec_create, spec_draft, spec_edit

_SPAN = timedelta(days=7)
_MOST_ROWS = 50
_MOST_CHIPS = 8
_EDITOR = {"style-src": [NONCE]}  # the code editor brings its own style sheet
_BACKTEST = "alerting/partials/_anomaly_backtest.html"


@dataclass(frozen=True)
class AnomalyListPage:
    """The anomaly rules the user may read."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[AnomalyRule]:
        """The rules by name."""
        rows = anomaly_rule_list(self.scope.org)
        return list(self.scope.access.filter(rows, "rulegroups:read"))

    @property
    def may_create(self) -> bool:
        """Return whether the user may add rules."""
        return self.scope.can("rulegroups:create")


@dataclass(frozen=True)
class AnomalyPage:
    """One anomaly rule with its last judgements."""

    scope: OrgScope
    rule: AnomalyRule

    @cached_property
    def judgements(self) -> list[Judgement]:
        """Every series now, the unusual first."""
        return anomaly_judgements(self.scope.org, self.rule, now=utc_now())[:_MOST_ROWS]

    @cached_property
    def events(self) -> list[AlertEvent]:
        """The last changes of its alerts, for those who may read alerts."""
        if not self.scope.can("alerts:read"):
            return []
        return group_events(self.scope.org, self.rule.group_name, limit=20)

    @cached_property
    def chart(self) -> str:
        """The most unusual series within its band over the last days."""
        first = self.judgements[0].labels if self.judgements else {}
        times, lines = anomaly_history(
            self.scope.org, self.rule, first, now=utc_now(), span_s=_SPAN.total_seconds()
        )
        series = [
            ChartSeries(
                label=line.labels.get("__name__", "").removeprefix("anomaly:"), values=line.values
            )
            for line in lines
        ]
        empty = "Nothing is recorded yet: the rules are evaluated every minute."
        chart = Chart(times=[at / 1000 for at in times], series=series, empty=empty)
        return chart.response().content.decode()

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("rulegroups:update", self.rule)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("rulegroups:delete", self.rule)


@dataclass(frozen=True)
class AnomalyPreview:
    """What the expression gives now; without a preview the problems say why there is none."""

    scope: OrgScope
    preview: Preview | None = None
    problems: Sequence[str] = ()

    @property
    def series(self) -> list[tuple[str, float]]:
        """Some of the series as (labels, value)."""
        found = self.preview.elements[:_MOST_CHIPS] if self.preview else ()
        return [
            (" ".join(f"{k}={v}" for k, v in one.labels.items() if k != "alertname"), one.value)
            for one in found
        ]


@dataclass(frozen=True)
class AnomalyBacktestPage:
    """What the rule would have told over the last days."""

    found: AnomalyBacktest | None = None
    problems: Sequence[str] = ()

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        assert self.found is not None
        if not self.found.judged:
            return "Too little history"
        if not self.found.total:
            return "Would not have fired"
        return (
            f"Would have fired {'once' if self.found.total == 1 else f'{self.found.total} times'}"
        )

    @property
    def tone(self) -> str:
        """The state whose colour fits."""
        assert self.found is not None
        return "firing" if self.found.total else "ok" if self.found.judged else "unknown"

    @cached_property
    def chart(self) -> str:
        """The series that was unusual longest, with its band."""
        assert self.found is not None
        drawn, end = self.found.drawn, self.found.end.timestamp()
        lines = (
            {"value": drawn.value, "low": drawn.low, "high": drawn.high}
            if drawn is not None
            else {}
        )
        chart = Chart(
            times=[at / 1000 for at in drawn.times_ms] if drawn else [],
            series=[ChartSeries(label=name, values=values) for name, values in lines.items()],
            start=self.found.start.timestamp(),
            end=end,
            bands=[
                Band(
                    start=one.firing.fired_at.timestamp(),
                    end=one.firing.resolved_at.timestamp() if one.firing.resolved_at else end,
                    state="firing",
                )
                for one in self.found.firings
                if drawn is not None and one.firing.labels == drawn.labels
            ],
            empty="No series in this time.",
        )
        return chart.response().content.decode()


def anomaly_of(scope: OrgScope, name: str, permission: str) -> AnomalyRule:
    """Return a rule the user may do this with; raise NotFoundError or ForbiddenError."""
    rule = anomaly_rule_get(scope.org, name)
    scope.access.require(permission, rule)
    return rule


@org_page("rulegroups:read")
def anomaly_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    return render_page(request, "alerting/anomaly_list.html", AnomalyListPage(scope))


@org_page("rulegroups:read")
def anomaly_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one rule, or for HTMX its judgements."""
    page = AnomalyPage(scope, anomaly_of(scope, name, "rulegroups:read"))
    fragment = "alerting/partials/_anomaly_detail.html"
    return render_page(request, "alerting/anomaly_detail.html", page, fragment=fragment)


@csp_update(_EDITOR)
@org_page("rulegroups:create")
def anomaly_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new rule and take it."""
    return spec_create(request, scope, ANOMALY_EDITOR)


@csp_update(_EDITOR)
@org_page("rulegroups:update")
def anomaly_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a rule and take it."""
    rule = anomaly_of(scope, name, "rulegroups:update")
    return spec_edit(request, scope, ANOMALY_EDITOR, rule)


@require_POST
@org_page("rulegroups:read")
def anomaly_preview(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what the expression as typed so far gives now."""
    scope.access.require("series:read")
    draft = spec_draft(request, scope, ANOMALY_EDITOR)
    if draft.spec is None:
        page = AnomalyPreview(scope, problems=_problems(scope, draft.errors))
    else:
        terms = anomaly_terms(name="new", title="", spec=draft.spec)
        try:
            rule = {"expr": watched_expr(terms)}
            page = AnomalyPreview(scope, rule_preview(tenant=scope.org, rule=rule, at=utc_now()))
        except InvalidFieldsError as error:
            page = AnomalyPreview(scope, problems=_problems(scope, field_errors(error.fields)))
    return render_page(request, "alerting/partials/_anomaly_preview.html", page)


@require_POST
@org_page("rulegroups:read")
def anomaly_backtested(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what the rule as typed so far would have told over the last seven days."""
    scope.access.require("series:read")
    draft = spec_draft(request, scope, ANOMALY_EDITOR)
    if draft.spec is None:
        page = AnomalyBacktestPage(problems=_problems(scope, draft.errors))
        return render_page(request, _BACKTEST, page)
    terms = anomaly_terms(name="new", title="", spec=draft.spec)
    try:
        page = AnomalyBacktestPage(
            anomaly_backtest(org=scope.org, terms=terms, now=utc_now(), span=_SPAN)
        )
    except InvalidFieldsError as error:
        page = AnomalyBacktestPage(problems=_problems(scope, field_errors(error.fields)))
    return render_page(request, _BACKTEST, page)


@require_POST
@org_page("rulegroups:delete")
def anomaly_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete a rule; its alert ends."""
    anomaly_of(scope, name, "rulegroups:delete")
    resource_delete(ANOMALY_EDITOR.resource, org=scope.org, actor=scope.user, name=name)
    target = reverse("alerting:anomaly-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")


def _problems(scope: OrgScope, errors: Errors) -> list[str]:
    return draft_problems(scope, ANOMALY_EDITOR, errors)
