"""Pages of tools: which there are, and running one."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse

from apps.extensions.selectors import plugin_choices
from apps.extensions.services.tools import PERMISSION, tool_run
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.tool import ToolAnswer
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.forms import form_fields
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.web.forms import Errors, SchemaForm, field_errors
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.parsing import parse_form
from detectviz.web.scope import OrgScope, org_page

_RUN = "extensions/partials/_tool_run.html"


@dataclass(frozen=True)
class ToolsPage:
    """The tools to choose from."""

    scope: OrgScope

    @cached_property
    def tools(self) -> tuple[PluginDescription, ...]:
        """Usable ones, by name."""
        return plugin_choices(PluginKind.TOOL, self.scope.org)


@dataclass(frozen=True, kw_only=True)
class ToolPage:
    """A tool's form, and its answer where it was run."""

    scope: OrgScope
    manifest: Manifest
    document: dict[str, Any] | None = None
    errors: Errors | None = None
    answer: ToolAnswer | None = None

    @cached_property
    def form(self) -> SchemaForm:
        """The fields of its configuration."""
        fields = form_fields(self.manifest.config_schema, ("config",))
        return SchemaForm(fields, document=self.document or {}, errors=self.errors or {})


@org_page(PERMISSION)
def tool_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Offer the tools."""
    return render_page(request, "extensions/tool_list.html", ToolsPage(scope))


@org_page(PERMISSION)
def tool_page(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show a tool's form, and run it for a POST."""
    scope.access.require(PERMISSION)
    found = [each for each in plugin_choices(PluginKind.TOOL, scope.org) if each.name == name]
    if not found:
        raise NotFoundError(f"There is no tool {name}, or it is switched off.")
    page = ToolPage(scope=scope, manifest=found[0].require())
    if request.method == "POST":
        page = _run(page, parse_form(page.form.fields, request.POST))
    status = 422 if page.errors else 200
    return render_page(request, "extensions/tool_run.html", page, fragment=_RUN, status=status)


def _run(page: ToolPage, document: dict[str, Any]) -> ToolPage:
    scope, manifest = page.scope, page.manifest
    config = document.get("config", {})
    try:
        answer = tool_run(org=scope.org, actor=scope.user, name=manifest.name, config=config)
    except InvalidFieldsError as error:
        errors = field_errors(error.fields)
        return ToolPage(scope=scope, manifest=manifest, document=document, errors=errors)
    return ToolPage(scope=scope, manifest=manifest, document=document, answer=answer)
