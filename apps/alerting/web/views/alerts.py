"""Alerts: what is pending or firing now, and the story of one."""

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Q
from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.alerting.enums import AlertState
from apps.alerting.models import Alert, AlertEvent, Rule
from apps.alerting.selectors import (
    BROKEN_STATES,
    alert_closed_list,
    alert_counts,
    alert_event_list,
    alert_get,
    alert_history,
    alert_names,
    alert_open_list,
    alerts_about,
    handling_map,
    rule_get,
)
from apps.alerting.web.views.handling import HandledAlert, HandlingPart, form_handle
from apps.monitors.models import Monitor
from apps.monitors.selectors.monitors import monitor_get
from detectviz.resources.errors import NotFoundError
from detectviz.web.pages import Pager, PageRequest, go_to, render_page, toast
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.states import look_of

PER_PAGE = 50
_EVENTS = 20
_MOST_SHOWN = 8
_MOST_CHARACTERS = 63
CLOSED = "closed"


@dataclass(frozen=True)
class AlertListPage:
    """The alerts as asked for by the query string."""

    scope: OrgScope
    query: QueryDict

    @cached_property
    def counts(self) -> dict[str, int]:
        """Alerts by state."""
        return alert_counts(self.scope.org, self.about)

    @property
    def monitor(self) -> str:
        """The name of the one monitor whose alerts are asked for."""
        return self._asked("monitor")

    @property
    def rule_uid(self) -> str:
        """The uid of the one rule whose alerts are asked for."""
        return self._asked("rule")

    @cached_property
    def rule(self) -> Rule | None:
        """That rule, where the user may read it."""
        found = rule_get(self.scope.org, self.rule_uid) if self.rule_uid else None
        is_shown = found is not None and self.scope.can("rulegroups:read", found.group)
        return found if is_shown else None

    @property
    def about(self) -> Q:
        """What the alerts must be about."""
        return alerts_about(monitor=self.monitor, rule=self.rule_uid)

    def _asked(self, name: str) -> str:
        return self.query.get(name, "").replace("\x00", "").strip()[:_MOST_CHARACTERS]

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
        closed = alert_closed_list(self.scope.org).filter(self.about).count()
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
        return list(self.scope.access.filter(wanted.filter(self.about), "alerts:read"))

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
        """The latest transitions of all alerts; none beside those of one monitor or rule."""
        if self.monitor or self.rule_uid:
            return []
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
    def monitor(self) -> Monitor | None:
        """The monitor it is about with its state, where the user may look at it."""
        try:
            found = monitor_get(self.scope.org, self.alert.labels.get("monitor", ""))
        except NotFoundError:
            return None
        return found if self.scope.can("monitors:read", found) else None

    @property
    def may_read_rule(self) -> bool:
        """Return whether the user may look at the rule it comes from."""
        rule = self.alert.rule
        return rule is not None and self.scope.can("rulegroups:read", rule.group)

    @property
    def may_silence(self) -> bool:
        """Return whether the user may silence it."""
        return self.alert.state != AlertState.RESOLVED and self.scope.can("silences:create")

    @cached_property
    def handling(self) -> HandlingPart:
        """How it stands with people."""
        return HandlingPart(self.scope, self.alert)


@dataclass(frozen=True)
class MonitorAlertsPage:
    """What is active of one monitor, as its own page shows it."""

    scope: OrgScope
    monitor: str

    @cached_property
    def _rows(self) -> list[Alert]:
        wanted = alert_open_list(self.scope.org).filter(alerts_about(monitor=self.monitor))
        return list(self.scope.access.filter(wanted, "alerts:read"))

    @cached_property
    def rows(self) -> list[HandledAlert]:
        """The worst of them with what people decided."""
        shown = self._rows[:_MOST_SHOWN]
        handlings = handling_map(self.scope.org, shown)
        return [HandledAlert(one, handlings.get(one.fingerprint)) for one in shown]

    @property
    def left_out(self) -> int:
        """How many more there are."""
        return len(self._rows) - len(self.rows)


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
    shown.update({name: request.POST.get(name, "") for name in ("state", "monitor", "rule")})
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


@org_page()
def monitor_alerts(request: PageRequest, scope: OrgScope, *, monitor: str) -> HttpResponse:
    """Show on a monitor's page which of its alerts are active; nothing to who may read none."""
    if not scope.can("alerts:read"):
        return HttpResponse()
    page = MonitorAlertsPage(scope, monitor)
    return render_page(request, "alerting/partials/_monitor_alerts.html", page)
