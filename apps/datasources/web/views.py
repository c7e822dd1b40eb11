"""The datasources, and one of them: its form, its health, a copy of it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.datasources.models import Datasource
from apps.datasources.selectors import datasource_get
from apps.datasources.selectors import datasource_list as datasources_of
from apps.datasources.services.clone import datasource_clone
from apps.datasources.services.health import datasource_check
from apps.datasources.web.forms import datasource_form, document_of, spec_of, submitted_document
from apps.extensions.selectors import plugin_list, plugin_manifest
from apps.orgs.selectors import folder_list
from detectviz.clock import utc_now
from detectviz.contracts.datasource import Health
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import NotFoundError
from detectviz.resources.services import resource_delete
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save, kind_of

_TABLE = "datasources/partials/_datasource_table.html"
_FORM = "datasources/partials/_datasource_form.html"
_HEALTH = "datasources/partials/_datasource_health.html"
_EDIT = "datasources/datasource_edit.html"


def datasource_kind() -> Any:
    """Return the registered kind."""
    return kind_of("datasources/v1", "Datasource")


@dataclass(frozen=True)
class ShownDatasource:
    """One datasource and what may be said of it."""

    row: Datasource

    @cached_property
    def manifest(self) -> Manifest | None:
        """The plugin's manifest, None while it is not usable."""
        return manifest_find(self.row.type)

    @property
    def type_title(self) -> str:
        """The plugin's title, else its name."""
        return self.manifest.title if self.manifest else self.row.type

    @property
    def title(self) -> str:
        """The title, or the name without one."""
        return self.row.title or self.row.name

    @property
    def state(self) -> str:
        """The last health check's outcome."""
        return self.row.health_status or "unknown"

    @property
    def state_label(self) -> str:
        """The outcome in a word."""
        return {"ok": "Works", "error": "Fails"}.get(self.state, "Not tested")


@dataclass(frozen=True)
class DatasourceListPage:
    """The list."""

    scope: OrgScope

    @cached_property
    def rows(self) -> tuple[ShownDatasource, ...]:
        """The datasources the user may see, by name."""
        visible = self.scope.access.filter(datasources_of(self.scope.org), "datasources:read")
        return tuple(ShownDatasource(row) for row in visible)

    @property
    def may_create(self) -> bool:
        """Return whether the user may add datasources."""
        return self.scope.can("datasources:create")


@dataclass(frozen=True)
class DatasourceTypesPage:
    """The plugins to choose from."""

    scope: OrgScope

    @cached_property
    def types(self) -> list[PluginDescription]:
        """Usable datasource plugins, by title."""
        usable = [each for each in plugin_list(PluginKind.DATASOURCE) if each.is_usable]
        return sorted(usable, key=lambda each: each.manifest.title if each.manifest else "")


@dataclass(frozen=True, kw_only=True)
class DatasourceDetailPage:
    """One datasource."""

    scope: OrgScope
    datasource: Datasource
    health: Health | None = None

    @property
    def shown(self) -> ShownDatasource:
        """What is said of it."""
        return ShownDatasource(self.datasource)

    @property
    def settings(self) -> list[tuple[str, str]]:
        """What it is configured with, without what is empty and without secrets."""
        row, schema = self.datasource, self.shown.manifest
        found = [
            ("URL", row.url),
            ("Database", row.database),
            ("User", row.user),
            ("Basic authentication user", row.basic_auth_user if row.basic_auth else ""),
        ]
        described = schema.config_schema.get("properties", {}) if schema else {}
        for name, value in row.json_data.items():
            said = described.get(name, {}) if isinstance(described, dict) else {}
            if value != said.get("default"):
                found.append((str(said.get("title", name)), _text(value)))
        secrets = ", ".join(sorted(datasource_kind().to_spec(row)["secure_json_data"]))
        found.append(("Secrets set", secrets))
        return [(label, text) for label, text in found if text]

    @property
    def may_update(self) -> bool:
        """Return whether the user may edit it."""
        return self._may("update") and not self.datasource.read_only

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self._may("delete") and not self.datasource.read_only

    @property
    def may_test(self) -> bool:
        """Return whether the user may have it tested."""
        return self._may("query")

    @property
    def may_clone(self) -> bool:
        """Return whether the user may make another like it."""
        return self._may("create")

    def _may(self, action: str) -> bool:
        return self.scope.can(f"datasources:{action}", self.datasource)


@dataclass(frozen=True, kw_only=True)
class DatasourceFormPage:
    """The form: of a new datasource, or of ``datasource``."""

    scope: OrgScope
    manifest: Manifest
    datasource: Datasource | None = None
    document: dict[str, Any] | None = None
    errors: Errors | None = None

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders to choose from."""
        return tuple(folder.name for folder in folder_list(self.scope.org))

    @property
    def stored(self) -> dict[str, Any]:
        """The spec as stored, with secrets masked; empty for a new datasource."""
        return dict(datasource_kind().to_spec(self.datasource)) if self.datasource else {}

    @property
    def form(self) -> SchemaForm:
        """The fields with what was submitted, else with what is stored."""
        stored = self.stored
        document = document_of(self.datasource, stored) if self.datasource else {}
        if self.document is not None:
            document = {
                **self.document,
                "secure_json_data": stored.get("secure_json_data", {}),
            }
        return datasource_form(
            self.manifest,
            self.folders,
            document=document,
            errors=self.errors,
            is_new=self.datasource is None,
        )

    @property
    def may_test(self) -> bool:
        """Return whether the user may have it tested."""
        return self.scope.can("datasources:query", self.datasource)


def manifest_find(type_name: str) -> Manifest | None:
    """Return the manifest of a usable plugin, None for any other."""
    try:
        return plugin_manifest(PluginKind.DATASOURCE, type_name)
    except PluginHostError:
        return None


def manifest_of(type_name: str) -> Manifest:
    """Return the manifest of a usable plugin; raise NotFoundError."""
    manifest = manifest_find(type_name)
    if manifest is None:
        raise NotFoundError(f"The datasource plugin {type_name!r} can't be used.")
    return manifest


def one_of(scope: OrgScope, name: str, permission: str) -> Datasource:
    """Return the datasource, if the user holds ``permission`` on it."""
    row = datasource_get(scope.org, access=scope.access, name=name)
    scope.access.require(permission, row)
    return row


@org_page("datasources:read")
def datasource_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    page = DatasourceListPage(scope)
    return render_page(request, "datasources/datasource_list.html", page, fragment=_TABLE)


@org_page("datasources:create")
def datasource_types(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Offer the plugins."""
    return render_page(request, "datasources/datasource_types.html", DatasourceTypesPage(scope))


@org_page("datasources:create")
def datasource_create(request: PageRequest, scope: OrgScope, *, type_name: str) -> HttpResponse:
    """Show the form of a new datasource and take it."""
    page = DatasourceFormPage(scope=scope, manifest=manifest_of(type_name))
    if request.method == "POST":
        return _save(request, page, permission="datasources:create")
    return render_page(request, _EDIT, page, fragment=_FORM)


@org_page("datasources:update")
def datasource_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a stored datasource and take it."""
    row = one_of(scope, name, "datasources:update")
    if row.read_only and request.method != "POST":
        return go_to(request, _address("detail", scope, name))
    page = DatasourceFormPage(scope=scope, manifest=manifest_of(row.type), datasource=row)
    if request.method == "POST":
        return _save(request, page, permission="datasources:update")
    return render_page(request, _EDIT, page, fragment=_FORM)


@org_page("datasources:read")
def datasource_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one datasource, or for HTMX its health."""
    page = DatasourceDetailPage(scope=scope, datasource=one_of(scope, name, "datasources:read"))
    return render_page(request, "datasources/datasource_detail.html", page, fragment=_HEALTH)


@require_POST
@org_page("datasources:query")
def datasource_test(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Check its health now and show what was found."""
    row = one_of(scope, name, "datasources:query")
    health = datasource_check(org=scope.org, datasource=row, now=utc_now())
    row.refresh_from_db()
    page = DatasourceDetailPage(scope=scope, datasource=row, health=health)
    return render_page(request, _HEALTH, page)


@require_POST
@org_page("datasources:create")
def datasource_clone_page(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Make a copy and lead to its form."""
    row = one_of(scope, name, "datasources:read")
    scope.access.require("datasources:create", row.folder)
    clone = datasource_clone(kind=datasource_kind(), org=scope.org, actor=scope.user, source=row)
    target = _address("detail", scope, clone.name)
    return go_to(request, target, said=f"{clone.name} is a copy of {name}, with its secrets.")


@require_POST
@org_page("datasources:delete")
def datasource_delete_page(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete one datasource."""
    row = one_of(scope, name, "datasources:delete")
    resource_delete(datasource_kind(), org=scope.org, actor=scope.user, name=row.name)
    target = reverse("datasources:datasource-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")


def _save(request: PageRequest, page: DatasourceFormPage, *, permission: str) -> HttpResponse:
    scope, row = page.scope, page.datasource
    document = submitted_document(page.manifest, page.folders, request.POST)
    _require_place(scope, permission, row, document.get("folder", ""))
    name = row.name if row else document.get("name", "")
    version = request.POST.get("resource_version", "")
    errors = form_save(
        scope,
        datasource_kind(),
        mode="update" if row else "create",
        name=name,
        spec=spec_of(page.manifest, document, page.stored),
        labels=document.get("labels", {}),
        folder=document.get("folder", ""),
        resource_version=int(version) if version.isdecimal() else None,
    )
    if errors:
        failed = replace(page, document=document, errors=errors)
        return render_page(request, _EDIT, failed, fragment=_FORM, status=422)
    said = f"{name} is saved."
    if "and_test" in request.POST and page.may_test:
        fresh = datasource_get(scope.org, access=scope.access, name=name)
        health = datasource_check(org=scope.org, datasource=fresh, now=utc_now())
        said = f"{name} is saved and works." if health.status == "ok" else f"{name} is saved."
    return go_to(request, _address("detail", scope, name), said=said)


def _require_place(scope: OrgScope, permission: str, row: Datasource | None, folder: str) -> None:
    """Creating in a folder, and moving into one, needs the permission there."""
    place = folder_list(scope.org).filter(name=folder).first() if folder else None
    if row is None or place is not None:
        scope.access.require(permission, place)


def _address(page: str, scope: OrgScope, name: str) -> str:
    return reverse(f"datasources:datasource-{page}", args=[scope.org.name, name])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return f"{len(value)} set" if value else ""
    return "" if value is None else str(value)[:200]
