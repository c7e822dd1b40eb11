"""From alerts to incidents: what an alert's page says of them, and adding chosen alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.alerting.models import Alert
from apps.alerting.selectors import alert_get, alert_names
from apps.oncall.enums import IncidentSeverity
from apps.oncall.models import Incident
from apps.oncall.selectors import incident_get, incident_list
from apps.oncall.services.incidents import alerts_gather
from detectviz.clock import utc_now
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page

MOST_CHOSEN = 200
_MOST_OFFERED = 50
_SEVERITIES = {
    "critical": IncidentSeverity.CRITICAL,
    "page": IncidentSeverity.CRITICAL,
    "warning": IncidentSeverity.MINOR,
    "info": IncidentSeverity.MINOR,
}


@dataclass(frozen=True)
class AlertIncidentsPage:
    """The incidents an alert belongs to, and those it could be added to."""

    scope: OrgScope
    alert: Alert | None

    @cached_property
    def incidents(self) -> list[Incident]:
        """Those it belongs to, open ones first."""
        if self.alert is None:
            return []
        rows = incident_list(self.scope.org).filter(alerts__fingerprint=self.alert.fingerprint)
        return list(self.scope.access.filter(rows, "incidents:read")[:_MOST_OFFERED])

    @cached_property
    def offered(self) -> list[Incident]:
        """Open ones it can be added to."""
        own = {one.name for one in self.incidents}
        return [one for one in open_incidents(self.scope) if one.name not in own]

    @property
    def may_create(self) -> bool:
        """Return whether the user may open one."""
        return self.alert is not None and self.scope.can("incidents:create")


def open_incidents(scope: OrgScope) -> list[Incident]:
    """Return the open incidents the user may add alerts to, the newest first."""
    rows = incident_list(scope.org).filter(resolved_at__isnull=True)
    return list(scope.access.filter(rows, "incidents:update")[:_MOST_OFFERED])


def alerts_chosen(scope: OrgScope, names: Sequence[str]) -> list[Alert]:
    """Return the alerts of these names that the user may read."""
    wanted = alert_names(scope.org, [name for name in names if "\x00" not in name][:MOST_CHOSEN])
    return list(scope.access.filter(wanted, "alerts:read").order_by("active_at", "name"))


def proposed(alerts: Sequence[Alert]) -> dict[str, str]:
    """Return title and severity of an incident with some alerts."""
    if not alerts:
        return {}
    names = list(dict.fromkeys(str(one.labels.get("alertname", "Alert")) for one in alerts))
    first = alerts[0].annotations.get("summary") or names[0]
    title = str(first) if len(alerts) == 1 else f"{', '.join(names[:3])} ({len(alerts)} alerts)"
    found = [
        _SEVERITIES.get(str(one.labels.get("severity", "")), IncidentSeverity.MAJOR)
        for one in alerts
    ]
    order = (IncidentSeverity.CRITICAL, IncidentSeverity.MAJOR, IncidentSeverity.MINOR)
    return {"title": title[:200], "severity": min(found, key=order.index).value}


@org_page()
def incident_for(request: PageRequest, scope: OrgScope, *, fingerprint: str) -> HttpResponse:
    """Show on an alert's page its incidents, and how to add it to one."""
    alert = alert_get(scope.org, fingerprint)
    is_shown = alert is not None and scope.can("alerts:read", alert) and scope.can("incidents:read")
    page = AlertIncidentsPage(scope, alert if is_shown else None)
    return render_page(request, "oncall/partials/_incident_for.html", page)


@require_POST
@org_page("incidents:update")
def incident_add(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Add chosen alerts to an open incident."""
    incident = incident_get(scope.org, request.POST.get("incident", "").replace("\x00", ""))
    scope.access.require("incidents:update", incident)
    chosen = alerts_chosen(scope, request.POST.getlist("alert"))
    added = alerts_gather(incident=incident, alerts=chosen, actor=scope.user, now=utc_now())
    target = reverse("oncall:incident-detail", args=[scope.org.name, incident.name])
    return go_to(request, target, said=f"Added: {added}.")
