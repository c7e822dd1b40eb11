"""Service level objectives with what is left of their budgets, and watches on what is unusual."""

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse

from apps.alerting.models import AnomalyRule, Slo
from apps.alerting.selectors import anomaly_rule_list, slo_list
from apps.alerting.services.slo_status import Standing, slo_standings
from detectviz.clock import utc_now
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page


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

    @cached_property
    def anomalies(self) -> list[AnomalyRule]:
        """The watches on what is unusual."""
        rows = anomaly_rule_list(self.scope.org)
        return list(self.scope.access.filter(rows, "rulegroups:read"))


def _least_first(standing: Standing) -> float:
    return 2.0 if standing.budget_left is None else standing.budget_left


@org_page("rulegroups:read")
def slo_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the SLOs, or for HTMX the list."""
    fragment = "alerting/partials/_slo_list.html"
    return render_page(request, "alerting/slo_list.html", SloPage(scope), fragment=fragment)
