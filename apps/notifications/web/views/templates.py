"""Notification templates: listed, edited, and previewed while they are written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.notifications.models import NotificationTemplate
from apps.notifications.selectors import (
    delivery_list,
    notification_template_get,
    notification_template_list,
    routed_alert_list,
)
from apps.notifications.services.previews import Preview, template_preview
from apps.notifications.services.template_defaults import default_source
from apps.notifications.services.templates import template_check
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.resources.services import resource_delete
from detectviz.web.forms import Errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save, kind_of

_PREVIEW = "notifications/partials/_template_preview.html"
_EDIT = "notifications/template_edit.html"
_MOST_CHOICES = 10
_LONGEST = 60_000
_START = """{{ define "own.title" }}{{ .Status | toUpper }}: {{ .GroupLabels.alertname }}{{ end }}
{{ define "own.text" }}{{ range .Alerts }}
- {{ .Annotations.summary }} (since {{ .StartsAt | tz "UTC" | date "15:04" }}){{ end }}
{{ end }}"""


@dataclass(frozen=True)
class TemplateListPage:
    """The templates of the organisation, and the names that are always there."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[tuple[NotificationTemplate, tuple[str, ...]]]:
        """Each template with what it defines."""
        found = notification_template_list(org=self.scope.org)
        visible = self.scope.access.filter(found, "notificationtemplates:read")
        return [(row, template_check(row.template, where=row.name)) for row in visible]

    @property
    def defaults(self) -> list[str]:
        """The names of the default definitions."""
        return sorted(template_check(default_source(), where="default"))

    @property
    def may_create(self) -> bool:
        """Return whether the user may add templates."""
        return self.scope.access.allows("notificationtemplates:create")


@dataclass(frozen=True, kw_only=True)
class TemplateFormPage:
    """The form: of a new template, or of ``row``."""

    scope: OrgScope
    row: NotificationTemplate | None = None
    posted: QueryDict | None = None
    errors: Errors | None = None

    @property
    def name(self) -> str:
        """The name."""
        return self.row.name if self.row else self._posted("name", "")

    @property
    def title(self) -> str:
        """What people call it."""
        return self._posted("title", self.row.title if self.row else "")

    @property
    def text(self) -> str:
        """The template."""
        return self._posted("template", self.row.template if self.row else _START)

    @property
    def sample(self) -> str:
        """The payload of the preview, as JSON; empty for the built-in one."""
        stored = self.row.sample if self.row else {}
        written = json.dumps(stored, indent=2, ensure_ascii=False) if stored else ""
        return self._posted("sample", written)

    @property
    def choices(self) -> list[tuple[str, str]]:
        """What it can be previewed with."""
        found = [("", "The sample")]
        if self.scope.access.allows("deliveries:read"):
            rows = delivery_list(org=self.scope.org, limit=_MOST_CHOICES)
            found += [
                (
                    f"delivery:{row.uid}",
                    f"Delivery to {row.contact_point}, {row.created_at:%d %b %H:%M}",
                )
                for row in rows
            ]
        if self.scope.access.allows("alerts:read"):
            alerts = routed_alert_list(org=self.scope.org, limit=_MOST_CHOICES)
            found += [
                (f"alert:{alert.fingerprint}", f"Alert {alert.labels.get('alertname', '')}")
                for alert in alerts
            ]
        return found

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Everything wrong."""
        return [(name, text) for name, texts in (self.errors or {}).items() for text in texts]

    @property
    def previews(self) -> Sequence[Preview]:
        """What the template prints for its own sample."""
        return previews_of(self.scope, QueryDict(), text=self.text, sample=self.sample)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.row is not None and self.scope.can("notificationtemplates:delete", self.row)

    def _posted(self, name: str, otherwise: str) -> str:
        return self.posted.get(name, otherwise) if self.posted is not None else otherwise


@dataclass(frozen=True)
class PreviewPage:
    """What the definitions print."""

    previews: Sequence[Preview]


def previews_of(scope: OrgScope, query: QueryDict, *, text: str, sample: str) -> Sequence[Preview]:
    """Return the previews of a text over what the form chose; what can't be had is an error."""
    kind, _, value = query.get("with", "").replace("\x00", "").partition(":")
    needed = {"delivery": "deliveries:read", "alert": "alerts:read"}
    if kind in needed:
        scope.access.require(needed[kind])
    try:
        return template_preview(
            org=scope.org,
            template=text[:_LONGEST],
            name=query.get("name", ""),
            payload=_payload(sample),
            delivery=value if kind == "delivery" else "",
            alert=value if kind == "alert" else "",
        )
    except InvalidFieldsError as error:
        said = "; ".join(text for texts in error.fields.values() for text in texts)
        return [Preview(name="sample", error=said)]
    except NotFoundError as error:
        return [Preview(name="preview", error=error.message)]


def _payload(sample: str) -> dict[str, Any]:
    if not sample.strip():
        return {}
    try:
        document = json.loads(sample[:_LONGEST])
    except (ValueError, RecursionError) as error:
        raise InvalidFieldsError({"sample": [f"The sample is no JSON: {error}"]}) from error
    if not isinstance(document, Mapping):
        raise InvalidFieldsError({"sample": ["The sample is an object with alerts."]})
    return dict(document)


@org_page("notificationtemplates:read")
def template_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the templates."""
    return render_page(request, "notifications/template_list.html", TemplateListPage(scope))


@org_page("notificationtemplates:create")
def template_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new template and take it."""
    if request.method == "POST":
        return _save(request, scope, None)
    return render_page(request, _EDIT, TemplateFormPage(scope=scope))


@org_page("notificationtemplates:update")
def template_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a stored template and take it."""
    row = notification_template_get(org=scope.org, name=name)
    scope.access.require("notificationtemplates:update", row)
    if request.method == "POST":
        return _save(request, scope, row)
    return render_page(request, _EDIT, TemplateFormPage(scope=scope, row=row))


@require_POST
@org_page("notificationtemplates:read")
def template_previewed(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what the text of the form prints; nothing is stored."""
    text, sample = request.POST.get("template", ""), request.POST.get("sample", "")
    found = previews_of(scope, request.POST, text=text, sample=sample)
    return render_page(request, _PREVIEW, PreviewPage(found))


@require_POST
@org_page("notificationtemplates:delete")
def template_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete one template."""
    row = notification_template_get(org=scope.org, name=name)
    scope.access.require("notificationtemplates:delete", row)
    resource_delete(_kind(), org=scope.org, actor=scope.user, name=row.name)
    target = reverse("notifications:template-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")


def _kind() -> Any:
    return kind_of("notifications/v1", "NotificationTemplate")


def _save(request: PageRequest, scope: OrgScope, row: NotificationTemplate | None) -> HttpResponse:
    version = request.POST.get("resource_version", "")
    name = row.name if row else request.POST.get("name", "")
    errors: Errors
    try:
        errors = form_save(
            scope,
            _kind(),
            mode="update" if row else "create",
            name=name,
            spec={
                "title": request.POST.get("title", ""),
                "template": request.POST.get("template", ""),
                "sample": _payload(request.POST.get("sample", "")),
            },
            resource_version=int(version) if version.isdecimal() else None,
        )
    except InvalidFieldsError as error:
        errors = error.fields
    if errors:
        failed = TemplateFormPage(scope=scope, row=row, posted=request.POST, errors=errors)
        return render_page(request, _EDIT, failed, status=422)
    target = reverse("notifications:template-edit", args=[scope.org.name, name])
    return go_to(request, target, said=f"{name} is saved.")
