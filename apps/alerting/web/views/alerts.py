"""Alerts: what is pending or firing now, and the story of one."""

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.alerting.enums import AlertState
from apps.alerting.models import Alert, AlertEvent
from apps.alerting.selectors import (
    BROKEN_STATES,
    alert_closed_list,
    alert_counts,
    alert_event_list,
    alert_get,
    alert_history,
    alert_names,
    alert_open_list,
    handling_map,
)
from apps.alerting.web.views.handling import HandledAlert, HandlingPart, form_handle
from apps.monitors.selectors.monitors import monitor_get
from detectviz.resources.errors import NotFoundError
from detectviz.web.pages import Pager, PageRequest, go_to, render_page, toast
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.states import look_of

PER_PAGE = 50
_EVENTS = 20
CLOSED = "closed"


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
        return wanted if wanted in {*AlertState.values, CLOSED} else ""

    @property
    def tabs(self) -> list[tuple[str, str, int]]:
        """The states to choose from, as (state, label, how many)."""
        active = sum(self.counts[state] for state in BROKEN_STATES)
        states = [*BROKEN_STATES, AlertState.RESOLVED]
        closed = alert_closed_list(self.scope.org).count()
        return [
            ("", "Active", active),
            *((state, look_of(state).label, self.counts[state]) for state in states),
            (CLOSED, look_of(CLOSED).label, closed),
        ]

    @cached_property
    def _rows(self) -> "list[Alert]":
        states = [self.state] if self.state else list(BROKEN_STATES)
        wanted = (
            alert_closed_list(self.scope.org)
            if self.state == CLOSED
            else alert_open_list(self.scope.org, states=states)
        )
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
    def rows(self) -> list[HandledAlert]:
        """The same with what people decided about them."""
        handlings = handling_map(self.scope.org, self.alerts)
        return [HandledAlert(one, handlings.get(one.fingerprint)) for one in self.alerts]

    @property
    def may_handle(self) -> bool:
        """Return whether the user may select alerts to act on them."""
        return self.scope.can("alerts:acknowledge")

    @property
    def may_open_incident(self) -> bool:
        """Return whether the user may open incidents with alerts."""
        return self.scope.can("incidents:create")

    @property
    def may_silence(self) -> bool:
        """Return whether the user may silence what is chosen."""
        return self.scope.can("silences:create")

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

    @cached_property
    def monitor(self) -> tuple[str, str] | None:
        """Name and title of the monitor it is about, where the user may look at one."""
        try:
            found = monitor_get(self.scope.org, self.alert.labels.get("monitor", ""))
        except NotFoundError:
            return None
        is_readable = self.scope.can("monitors:read", found)
        return (found.name, found.title or found.name) if is_readable else None

    @property
    def may_silence(self) -> bool:
        """Return whether the user may silence it."""
        return self.alert.state != AlertState.RESOLVED and self.scope.can("silences:create")

    @cached_property
    def handling(self) -> HandlingPart:
        """How it stands with people."""
        return HandlingPart(self.scope, self.alert)


@org_page("alerts:read")
def alert_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the alerts, or for HTMX the list."""
    page = AlertListPage(scope, request.GET)
    return render_page(
        request, "alerting/alert_list.html", page, fragment="alerting/partials/_alert_list.html"
    )


@require_POST
@org_page("alerts:acknowledge")
def alert_bulk(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Do one thing to the chosen alerts and show the list again."""
    names = request.POST.getlist("alert")[:PER_PAGE]
    chosen = scope.access.filter(alert_names(scope.org, names), "alerts:acknowledge")
    said = form_handle(scope, list(chosen), request.POST)
    shown = QueryDict(mutable=True)
    shown["state"] = request.POST.get("state", "")
    page = AlertListPage(scope, shown)
    response = toast(render_page(request, "alerting/partials/_alert_list.html", page), said)
    response.headers["HX-Trigger-After-Swap"] = "bulk:done"
    return response


@require_POST
@org_page("alerts:acknowledge")
def alert_handle(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Do one thing to one alert and show it again."""
    alert = alert_get(scope.org, name)
    if alert is None:
        raise NotFoundError
    scope.access.require("alerts:acknowledge", alert)
    said = form_handle(scope, [alert], request.POST)
    return go_to(request, reverse("alerting:alert-detail", args=[scope.org, name]), said=said)


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
