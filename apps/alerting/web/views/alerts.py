"""Alerts: what is pending or firing now, and the story of one."""

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse, QueryDict

from apps.alerting.enums import AlertState
from apps.alerting.models import Alert, AlertEvent
from apps.alerting.selectors import (
    BROKEN_STATES,
    alert_counts,
    alert_event_list,
    alert_get,
    alert_history,
    alert_list,
)
from detectviz.resources.errors import NotFoundError
from detectviz.web.pages import Pager, PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.states import look_of

PER_PAGE = 50
_EVENTS = 20


@dataclass(frozen=True)
class AlertListPage:
    """The alerts as asked for by the query string."""

    scope: OrgScope
    query: QueryDict

    @cached_property
    def counts(self) -> dict[str, int]:
        """Alerts by state."""
        return alert_counts(self.scope.org)

    @property
    def state(self) -> str:
        """The state asked for; empty for everything that is active."""
        wanted = self.query.get("state", "")
        return wanted if wanted in AlertState.values else ""

    @property
    def tabs(self) -> list[tuple[str, str, int]]:
        """The states to choose from, as (state, label, how many)."""
        active = sum(self.counts[state] for state in BROKEN_STATES)
        states = [*BROKEN_STATES, AlertState.RESOLVED]
        return [
            ("", "Active", active),
            *((state, look_of(state).label, self.counts[state]) for state in states),
        ]

    @cached_property
    def _rows(self) -> "list[Alert]":
        states = [self.state] if self.state else list(BROKEN_STATES)
        wanted = alert_list(self.scope.org, states=states)
        return list(self.scope.access.filter(wanted, "alerts:read"))

    @cached_property
    def pager(self) -> Pager:
        """Where in the list the page stands."""
        return Pager.of(self.query, count=len(self._rows), per_page=PER_PAGE)

    @cached_property
    def alerts(self) -> list[Alert]:
        """The alerts of this page of the list."""
        return self._rows[self.pager.offset : self.pager.offset + PER_PAGE]

    @cached_property
    def events(self) -> list[AlertEvent]:
        """The latest transitions of all alerts."""
        return list(alert_event_list(self.scope.org, limit=_EVENTS))


@dataclass(frozen=True)
class AlertDetailPage:
    """One alert with its history."""

    scope: OrgScope
    alert: Alert

    @cached_property
    def events(self) -> list[AlertEvent]:
        """Its transitions, the newest first."""
        return list(alert_history(self.scope.org, self.alert.fingerprint, limit=50))


@org_page("alerts:read")
def alert_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the alerts, or for HTMX the list."""
    page = AlertListPage(scope, request.GET)
    return render_page(
        request, "alerting/alert_list.html", page, fragment="alerting/partials/_alert_list.html"
    )


@org_page("alerts:read")
def alert_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one alert."""
    alert = alert_get(scope.org, name)
    if alert is None:
        raise NotFoundError
    scope.access.require("alerts:read", alert)
    page = AlertDetailPage(scope, alert)
    return render_page(
        request, "alerting/alert_detail.html", page, fragment="alerting/partials/_alert_detail.html"
    )
