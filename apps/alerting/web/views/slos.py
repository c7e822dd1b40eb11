"""Service level objectives: what is left of their budgets, how fast they burn, editing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.alerting.enums import RuleHealth, RuleKind
from apps.alerting.models import Rule, RuleGroup, Slo
from apps.alerting.selectors import rulegroup_get, slo_get, slo_list
from apps.alerting.services.slo_rules import SloTerms, slo_rules, slo_terms
from apps.alerting.services.slo_status import (
    Burn,
    Standing,
    slo_burns,
    slo_history,
    slo_standings,
    slo_tried,
)
from apps.alerting.web.editors import SLO_EDITOR
from detectviz.clock import utc_now
from detectviz.contracts.durations import parse_duration_s
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.services import resource_delete
from detectviz.web.charts import Chart, ChartSeries, Threshold
from detectviz.web.forms import Errors, field_errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.specs import draft_problems, spec_create, spec_draft, spec_edit

_SHOWN = timedelta(days=7)
_TRIED = ("1h", "1d", "7d")


@dataclass(frozen=True)
class Row:
    """One SLO and where it stands."""

    slo: Slo
    standing: Standing

    @property
    def left_percent(self) -> int:
        """What is left of the budget for the bar, 0 to 100."""
        return round(100 * min(max(self.standing.budget_left or 0.0, 0.0), 1.0))


@dataclass(frozen=True)
class SloPage:
    """The objectives the user may read."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[Row]:
        """The SLOs; those with the least budget left first."""
        slos = list(self.scope.access.filter(slo_list(self.scope.org), "rulegroups:read"))
        standings = slo_standings(self.scope.org, slos, now=utc_now())
        rows = [Row(slo, standings[slo.name]) for slo in slos]
        return sorted(rows, key=lambda row: _least_first(row.standing))

    @property
    def may_create(self) -> bool:
        """Return whether the user may add objectives."""
        return self.scope.can("rulegroups:create")


@dataclass(frozen=True)
class SloDetailPage:
    """One objective: where it stands, how fast its budget burns."""

    scope: OrgScope
    slo: Slo

    @cached_property
    def row(self) -> Row:
        """Where it stands."""
        found = slo_standings(self.scope.org, [self.slo], now=utc_now())
        return Row(self.slo, found[self.slo.name])

    @cached_property
    def burns(self) -> list[Burn]:
        """How fast the budget burns over each window."""
        return slo_burns(self.scope.org, self.slo, now=utc_now())

    @cached_property
    def group(self) -> RuleGroup | None:
        """The group of its rules."""
        return rulegroup_get(self.scope.org, self.slo.group_name)

    @cached_property
    def rules(self) -> list[Rule]:
        """The generated rules in order."""
        return list(self.group.rules.all()) if self.group else []

    @property
    def rules_to_see(self) -> list[Rule]:
        """Those that alert, and any that fails; that the others record is seen above."""
        return [
            rule
            for rule in self.rules
            if rule.kind == RuleKind.ALERTING or rule.health == RuleHealth.ERROR
        ]

    @cached_property
    def chart(self) -> str:
        """The budget that was left over the last days, for the chart."""
        times, lines = slo_history(
            self.scope.org, self.slo, now=utc_now(), span_s=_SHOWN.total_seconds()
        )
        series = [ChartSeries(label="budget left", values=line.values) for line in lines]
        mark = Threshold(value=0, label="spent")
        empty = "Nothing is recorded yet: the rules are evaluated every minute."
        chart = Chart(
            times=[at / 1000 for at in times],
            series=series,
            unit="ratio",
            thresholds=[mark],
            empty=empty,
        )
        return chart.response().content.decode()

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("rulegroups:update", self.slo)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("rulegroups:delete", self.slo)


@dataclass(frozen=True)
class SloPreview:
    """An objective as typed so far; without terms the problems say why there are none."""

    terms: SloTerms | None
    failed: Sequence[tuple[str, float | None]] = ()
    problems: Sequence[str] = ()

    @property
    def rows(self) -> list[tuple[str, float | None, float | None]]:
        """Each window with what failed in it, and how fast that burns the budget."""
        budget = self.terms.budget if self.terms else 1.0
        return [(w, r, None if r is None else r / budget) for w, r in self.failed]

    @property
    def allowed_s(self) -> float:
        """How many seconds of the period may fail."""
        return self.terms.budget * parse_duration_s(self.terms.period) if self.terms else 0.0

    @property
    def rules(self) -> list[tuple[str, str]]:
        """The rules that would be generated, as name and expression."""
        rules = slo_rules(self.terms) if self.terms else []
        return [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules]


def slo_of(scope: OrgScope, name: str, permission: str) -> Slo:
    """Return an objective the user may do this with; raise NotFoundError or ForbiddenError."""
    slo = slo_get(scope.org, name)
    scope.access.require(permission, slo)
    return slo


def _least_first(standing: Standing) -> float:
    return 2.0 if standing.budget_left is None else standing.budget_left


@org_page("rulegroups:read")
def slo_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the SLOs, or for HTMX the list."""
    fragment = "alerting/partials/_slo_list.html"
    return render_page(request, "alerting/slo_list.html", SloPage(scope), fragment=fragment)


@org_page("rulegroups:read")
def slo_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one objective, or for HTMX what changes of it."""
    page = SloDetailPage(scope, slo_of(scope, name, "rulegroups:read"))
    fragment = "alerting/partials/_slo_detail.html"
    return render_page(request, "alerting/slo_detail.html", page, fragment=fragment)


@org_page("rulegroups:create")
def slo_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new objective and take it."""
    return spec_create(request, scope, SLO_EDITOR)


@org_page("rulegroups:update")
def slo_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of an objective and take it."""
    return spec_edit(request, scope, SLO_EDITOR, slo_of(scope, name, "rulegroups:update"))


@require_POST
@org_page("rulegroups:read")
def slo_preview(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what an objective as typed so far would say of the last hour, day and week."""
    scope.access.require("series:read")
    draft = spec_draft(request, scope, SLO_EDITOR)
    try:
        page = _tried(scope, draft.spec) if draft.spec else _wrong(scope, draft.errors)
    except InvalidFieldsError as error:
        page = _wrong(scope, field_errors(error.fields))
    return render_page(request, "alerting/partials/_slo_preview.html", page)


@require_POST
@org_page("rulegroups:delete")
def slo_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete an objective with its rules."""
    slo_of(scope, name, "rulegroups:delete")
    resource_delete(SLO_EDITOR.resource, org=scope.org, actor=scope.user, name=name)
    target = reverse("alerting:slo-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")


def _tried(scope: OrgScope, spec: Mapping[str, Any]) -> SloPreview:
    terms = slo_terms(name="new", title=spec["title"], spec=spec)
    now = utc_now()
    failed = [(window, slo_tried(scope.org, terms, window, now=now)) for window in _TRIED]
    return SloPreview(terms, failed)


def _wrong(scope: OrgScope, errors: Errors) -> SloPreview:
    return SloPreview(None, problems=draft_problems(scope, SLO_EDITOR, errors))
