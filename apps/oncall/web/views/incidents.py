"""The incidents, and one of them: what is known, who does what, its alerts and its story."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.alerting.enums import AlertState
from apps.alerting.models import Alert
from apps.alerting.selectors import alert_names, alert_open_list, alerts_by_fingerprint
from apps.oncall.enums import IncidentSeverity, IncidentStatus
from apps.oncall.models import Incident, IncidentAlert
from apps.oncall.selectors import incident_alerts, incident_get, incident_list
from apps.oncall.services.incidents import FIRING, alerts_gather, note_write
from apps.oncall.services.participants import participant_list
from apps.oncall.services.timelines import Moment, incident_timeline, post_mortem
from apps.oncall.web.views.incident_alerts import alerts_chosen, open_incidents, proposed
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.models import new_uid
from detectviz.resources.services import resource_delete, resource_write
from detectviz.web.forms import Errors
from detectviz.web.pages import Pager, PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save, kind_of

ROLES = ("commander", "communications", "scribe")
PER_PAGE = 50
_MOST_OFFERED = 200


@dataclass(frozen=True)
class IncidentListPage:
    """The list."""

    scope: OrgScope
    query: QueryDict

    @cached_property
    def _rows(self) -> Any:
        return self.scope.access.filter(incident_list(self.scope.org), "incidents:read")

    @cached_property
    def pager(self) -> Pager:
        """Where in the list the page stands."""
        return Pager.of(self.query, count=self._rows.count(), per_page=PER_PAGE)

    @cached_property
    def rows(self) -> list[Incident]:
        """The incidents of this page."""
        return list(self._rows[self.pager.offset : self.pager.offset + PER_PAGE])

    @property
    def may_create(self) -> bool:
        """Return whether the user may open incidents."""
        return self.scope.can("incidents:create")


@dataclass(frozen=True, kw_only=True)
class IncidentFormPage:
    """The form of a new incident."""

    scope: OrgScope
    data: QueryDict
    errors: Errors | None = None
    chosen: Sequence[Alert] = ()

    @cached_property
    def offered(self) -> list[Incident]:
        """Open incidents the chosen alerts could be added to instead."""
        return open_incidents(self.scope) if self.chosen else []

    @property
    def severities(self) -> list[tuple[str, str]]:
        """How bad it can be."""
        return [(one.value, str(one.label)) for one in IncidentSeverity]

    @property
    def people(self) -> list[tuple[str, str]]:
        """Who can have a role."""
        return participant_list(org=self.scope.org)

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What is wrong."""
        return [(name, " ".join(texts)) for name, texts in (self.errors or {}).items()]


@dataclass(frozen=True)
class IncidentPage:
    """One incident."""

    scope: OrgScope
    incident: Incident

    @cached_property
    def timeline(self) -> list[Moment]:
        """The story, the newest first."""
        return list(reversed(incident_timeline(incident=self.incident)))

    @cached_property
    def alerts(self) -> list[IncidentAlert]:
        """What belongs to it."""
        return incident_alerts(self.incident)

    @cached_property
    def shown_alerts(self) -> list[tuple[IncidentAlert, str]]:
        """What belongs to it, and its state; what is known no more is over."""
        prints = [one.fingerprint for one in self.alerts]
        rows = alerts_by_fingerprint(self.scope.org, prints, states=AlertState.values)
        states = {row.fingerprint: row.state for row in rows}
        return [(one, states.get(one.fingerprint, "resolved")) for one in self.alerts]

    @cached_property
    def offered(self) -> list[Alert]:
        """What fires and could be added."""
        own = {one.fingerprint for one in self.alerts}
        rows = alert_open_list(self.scope.org, states=FIRING)
        found = self.scope.access.filter(rows, "alerts:read")[:_MOST_OFFERED]
        return [one for one in found if one.fingerprint not in own]

    @property
    def roles(self) -> list[tuple[str, str]]:
        """The roles with who has them."""
        names = dict.fromkeys([*ROLES, *self.incident.roles])
        return [(name, self.incident.roles.get(name, "")) for name in names]

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """The statuses to choose from."""
        return [(one.value, str(one.label)) for one in IncidentStatus]

    @property
    def severities(self) -> list[tuple[str, str]]:
        """How bad it can be."""
        return [(one.value, str(one.label)) for one in IncidentSeverity]

    @property
    def people(self) -> list[tuple[str, str]]:
        """Who can have a role."""
        return participant_list(org=self.scope.org)

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("incidents:update", self.incident)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("incidents:delete", self.incident)


@org_page("incidents:read")
def incident_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    page = IncidentListPage(scope, request.GET)
    return render_page(request, "oncall/incident_list.html", page)


@org_page("incidents:create")
def incident_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new incident and take it."""
    posted = request.POST
    chosen = alerts_chosen(scope, (posted or request.GET).getlist("alert"))
    if request.method != "POST":
        data = QueryDict(mutable=True)
        data.update(proposed(chosen))
        page = IncidentFormPage(scope=scope, data=data, chosen=chosen)
        return render_page(request, "oncall/incident_edit.html", page)
    name = f"inc-{utc_now():%Y%m%d}-{new_uid()[:6]}"
    errors = form_save(scope, _kind(), mode="create", name=name, spec=_spec(posted))
    if errors:
        failed = IncidentFormPage(scope=scope, data=posted, errors=errors, chosen=chosen)
        return render_page(request, "oncall/incident_edit.html", failed, status=422)
    if chosen:
        incident = incident_get(scope.org, name)
        alerts_gather(incident=incident, alerts=chosen, actor=scope.user, now=utc_now())
    return go_to(request, _detail_url(scope, name), said="The incident is open.")


@org_page("incidents:read")
def incident_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one incident."""
    page = IncidentPage(scope, _incident_of(scope, name, "incidents:read"))
    return render_page(request, "oncall/incident_detail.html", page)


@require_POST
@org_page("incidents:update")
def incident_update(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Take status, severity and roles."""
    incident = _incident_of(scope, name, "incidents:update")
    spec = _kind().to_spec(incident)
    for field in ("status", "severity"):
        spec[field] = request.POST.get(field, spec[field])
    given = {key[5:]: who for key, who in request.POST.items() if key.startswith("role/")}
    roles = {**spec["roles"], **given}
    spec["roles"] = {role: who for role, who in roles.items() if who}
    resource_write(_kind(), org=scope.org, actor=scope.user, name=name, spec=spec, mode="update")
    return go_to(request, _detail_url(scope, name), said="Saved.")


@require_POST
@org_page("incidents:update")
def incident_note(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Add a note."""
    incident = _incident_of(scope, name, "incidents:update")
    text = request.POST.get("text", "").strip()[:10_000]
    if not text:
        raise InvalidFieldsError({"text": ["Write something."]})
    note_write(incident=incident, text=text, actor=scope.user, now=utc_now())
    return go_to(request, _detail_url(scope, name), said="Noted.")


@require_POST
@org_page("incidents:update")
def incident_gather(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Have chosen alerts belong to it."""
    incident = _incident_of(scope, name, "incidents:update")
    wanted = alert_names(scope.org, request.POST.getlist("alert")[:_MOST_OFFERED])
    found = scope.access.filter(wanted, "alerts:read")
    added = alerts_gather(incident=incident, alerts=found, actor=scope.user, now=utc_now())
    return go_to(request, _detail_url(scope, name), said=f"Added: {added}.")


@require_POST
@org_page("incidents:delete")
def incident_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete an incident with its story."""
    _incident_of(scope, name, "incidents:delete")
    resource_delete(_kind(), org=scope.org, actor=scope.user, name=name)
    target = reverse("oncall:incident-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")


@org_page("incidents:read")
def incident_export(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Answer the post-mortem as a file."""
    incident = _incident_of(scope, name, "incidents:read")
    answer = HttpResponse(post_mortem(incident=incident), content_type="text/markdown")
    answer["Content-Disposition"] = f'attachment; filename="{incident.name}.md"'
    return answer


def _incident_of(scope: OrgScope, name: str, permission: str) -> Incident:
    incident = incident_get(scope.org, name)
    scope.access.require(permission, incident)
    return incident


def _spec(data: QueryDict) -> dict[str, Any]:
    commander = data.get("commander", "")
    return {
        "title": data.get("title", "").strip(),
        "summary": data.get("summary", "").strip(),
        "severity": data.get("severity", IncidentSeverity.MAJOR.value),
        "roles": {ROLES[0]: commander} if commander else {},
        "matchers": [
            line.strip() for line in data.get("matchers", "").splitlines() if line.strip()
        ],
    }


def _kind() -> Any:
    return kind_of("notifications/v1", "Incident")


def _detail_url(scope: OrgScope, name: str) -> str:
    return reverse("oncall:incident-detail", args=[scope.org.name, name])
