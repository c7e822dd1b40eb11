"""Choosing a type, creating, editing, trying and deleting a monitor."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.extensions.selectors import plugin_choices, plugin_manifest
from apps.monitors.models import Monitor
from apps.monitors.services.probes import monitor_try_spec
from apps.monitors.web.forms import document_of, monitor_form, spec_of, submitted_document
from apps.monitors.web.views.detail import monitor_of
from apps.orgs.selectors import folder_list
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.resources.services import resource_delete
from detectviz.web.forms import Errors, SchemaForm, field_errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save, kind_of

_FORM = "monitors/partials/_monitor_form.html"


def monitor_kind() -> Any:
    """Return the registered kind."""
    return kind_of("monitoring/v1", "Monitor")


@dataclass(frozen=True)
class MonitorTypesPage:
    """The types to choose from."""

    scope: OrgScope

    @cached_property
    def types(self) -> list[PluginDescription]:
        """Usable collectors, by title."""
        usable = plugin_choices(PluginKind.COLLECTOR, self.scope.org)
        return sorted(usable, key=lambda each: each.manifest.title if each.manifest else "")


@dataclass(frozen=True, kw_only=True)
class MonitorFormPage:
    """The form: of a new monitor, or of ``monitor``."""

    scope: OrgScope
    manifest: Manifest
    monitor: Monitor | None = None
    document: dict[str, Any] | None = None
    errors: Errors | None = None

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The folders to choose from."""
        return tuple(folder.name for folder in folder_list(self.scope.org))

    @cached_property
    def stored(self) -> dict[str, Any]:
        """The spec as stored, with secrets masked; empty for a new monitor."""
        return dict(monitor_kind().to_spec(self.monitor)) if self.monitor else {}

    @cached_property
    def form(self) -> SchemaForm:
        """The fields with what was submitted, else with what is stored."""
        document = document_of(self.monitor, self.stored) if self.monitor else {}
        if self.document is not None:
            document = {**self.document, "secrets": self.stored.get("secrets", {})}
        return monitor_form(
            self.manifest,
            self.folders,
            document=document,
            errors=self.errors,
            is_new=self.monitor is None,
        )

    @property
    def may_run(self) -> bool:
        """Return whether the user may run a check."""
        return self.scope.can("monitors:execute")


def manifest_of(type_name: str) -> Manifest:
    """Return the manifest of a usable collector; raise NotFoundError."""
    try:
        return plugin_manifest(PluginKind.COLLECTOR, type_name)
    except PluginHostError as error:
        raise NotFoundError(str(error)) from error


@org_page("monitors:create")
def monitor_types(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Offer the types of monitors."""
    return render_page(request, "monitors/monitor_types.html", MonitorTypesPage(scope))


@org_page("monitors:create")
def monitor_create(request: PageRequest, scope: OrgScope, *, type_name: str) -> HttpResponse:
    """Show the form of a new monitor and take it."""
    page = MonitorFormPage(scope=scope, manifest=manifest_of(type_name))
    if request.method == "POST":
        return _save(request, page, permission="monitors:create")
    return render_page(request, "monitors/monitor_edit.html", page, fragment=_FORM)


@org_page("monitors:update")
def monitor_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a stored monitor and take it."""
    monitor = monitor_of(scope, name, "monitors:update")
    page = MonitorFormPage(scope=scope, manifest=manifest_of(monitor.type), monitor=monitor)
    if request.method == "POST":
        return _save(request, page, permission="monitors:update")
    return render_page(request, "monitors/monitor_edit.html", page, fragment=_FORM)


@require_POST
@org_page("monitors:execute")
def monitor_try(request: PageRequest, scope: OrgScope, *, type_name: str) -> HttpResponse:
    """Run what the form describes once, without saving it."""
    name = request.POST.get("stored_name", "")
    monitor = monitor_of(scope, name, "monitors:execute") if name else None
    page = MonitorFormPage(scope=scope, manifest=manifest_of(type_name), monitor=monitor)
    document = submitted_document(page.manifest, page.folders, request.POST)
    shown: dict[str, Any] = {}
    try:
        spec = spec_of(page.manifest, document, page.stored)
        shown["probe"] = monitor_try_spec(org=scope.org, spec=spec, instance=monitor)
    except InvalidFieldsError as error:
        shown["form"] = _with(page, document, field_errors(error.fields)).form
    return render_page(request, "monitors/partials/_monitor_probe.html", shown)


@require_POST
@org_page("monitors:delete")
def monitor_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete one monitor."""
    monitor = monitor_of(scope, name, "monitors:delete")
    resource_delete(monitor_kind(), org=scope.org, actor=scope.user, name=monitor.name)
    target = reverse("monitors:monitor-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")


def _save(request: PageRequest, page: MonitorFormPage, *, permission: str) -> HttpResponse:
    scope, is_new = page.scope, page.monitor is None
    document = submitted_document(page.manifest, page.folders, request.POST)
    _require_place(scope, permission, page.monitor, document.get("folder", ""))
    name = page.monitor.name if page.monitor else document.get("name", "")
    version = request.POST.get("resource_version", "")
    errors = form_save(
        scope,
        monitor_kind(),
        mode="create" if is_new else "update",
        name=name,
        spec=spec_of(page.manifest, document, page.stored),
        labels=document.get("labels", {}),
        folder=document.get("folder", ""),
        resource_version=int(version) if version.isdecimal() else None,
    )
    if errors:
        return _refused(request, _with(page, document, errors))
    said = f"{name} is created; its first check is on its way." if is_new else f"{name} is saved."
    target = reverse("monitors:monitor-detail", args=[scope.org.name, name])
    return go_to(request, target, said=said)


def _refused(request: PageRequest, page: MonitorFormPage) -> HttpResponse:
    template = "monitors/monitor_edit.html"
    return render_page(request, template, page, fragment=_FORM, status=422)


def _require_place(scope: OrgScope, permission: str, monitor: Monitor | None, folder: str) -> None:
    """Creating in a folder, and moving into one, needs the permission there."""
    place = folder_list(scope.org).filter(name=folder).first() if folder else None
    if monitor is None or place is not None:
        scope.access.require(permission, place)


def _with(page: MonitorFormPage, document: dict[str, Any], errors: Errors) -> MonitorFormPage:
    return MonitorFormPage(
        scope=page.scope,
        manifest=page.manifest,
        monitor=page.monitor,
        document=document,
        errors=errors,
    )
