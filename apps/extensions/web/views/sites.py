"""Pages of plugins: one view for all of their routes, widgets and partials."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, HttpResponseNotAllowed
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.html import format_html

from apps.extensions.services.pages import Reader, Rendered, page_answer, site_get
from detectviz.contracts.pages import PageRequest as Asked
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.site import Part, Route, Site
from detectviz.resources.errors import NotFoundError
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page

_PARTS = {"_widgets": "widget", "_partials": "partial"}
_HIDDEN = frozenset({"csrfmiddlewaretoken"})


@dataclass(frozen=True, kw_only=True)
class SitePage:
    """A page of a plugin: its frame is the host's."""

    scope: OrgScope
    plugin: PluginDescription
    title: str
    lead: str
    shown: Rendered


@org_page()
def site_page(
    request: PageRequest, scope: OrgScope, *, plugin: str, path: str = ""
) -> HttpResponse:
    """Answer any address below a plugin's own."""
    found, site = site_get(scope.org.name, plugin)
    folder, _, rest = path.partition("/")
    if folder in _PARTS:
        return _part(request, scope, (found, site), _PARTS[folder], rest)
    resolved = site.resolve(path)
    if resolved is None:
        raise NotFoundError(f"The pages {plugin} have no such address.")
    route, parameters = resolved
    if not scope.can(route.permission):
        scope.access.require(route.permission)
    if request.method == "POST" and "POST" not in route.methods:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    asked = Asked(
        target="route",
        name=route.name,
        method="POST" if request.method == "POST" else "GET",
        parameters=parameters,
        **_sent(request),
    )
    return _page(request, scope, (found, site), route, asked)


def _page(
    request: PageRequest,
    scope: OrgScope,
    of: tuple[PluginDescription, Site],
    route: Route,
    asked: Asked,
) -> HttpResponse:
    shown = _ask(request, scope, of, asked)
    if shown.redirect:
        return go_to(request, shown.redirect)
    page = SitePage(scope=scope, plugin=of[0], title=route.title, lead=route.lead, shown=shown)
    fragment = "extensions/partials/_site_part.html"
    return render_page(
        request, "extensions/site_page.html", page, fragment=fragment, status=shown.status
    )


def _part(
    request: PageRequest,
    scope: OrgScope,
    of: tuple[PluginDescription, Site],
    target: Any,
    name: str,
) -> HttpResponse:
    """Answer a widget or a partial; a failure is a card with status 200, so that it is shown."""
    part = _named(of[1].widgets if target == "widget" else of[1].partials, name)
    if not scope.can(part.permission):
        scope.access.require(part.permission)
    if request.method == "POST":
        return HttpResponseNotAllowed(["GET", "HEAD"])
    subject = request.GET.get("subject", "")[:200]
    shown = _ask(
        request, scope, of, Asked(target=target, name=name, subject=subject, **_sent(request))
    )
    page = SitePage(scope=scope, plugin=of[0], title=part.title, lead="", shown=shown)
    return render_page(request, "extensions/partials/_site_part.html", page)


def _named(parts: tuple[Part, ...], name: str) -> Part:
    for part in parts:
        if part.name == name:
            return part
    raise NotFoundError(f"There is no part {name!r}.")


def _ask(
    request: PageRequest, scope: OrgScope, of: tuple[PluginDescription, Site], asked: Asked
) -> Rendered:
    plugin, site = of
    token = format_html(
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}">', get_token(request)
    )
    return page_answer(
        reader=Reader(org=scope.org, user=scope.user, access=scope.access),
        plugin=plugin,
        site=site,
        request=asked,
        base=reverse("extensions:x-home", args=[scope.org.name, plugin.name]),
        csrf_field=token,
    )


def _sent(request: PageRequest) -> dict[str, Any]:
    form = {name: values for name, values in request.POST.lists() if name not in _HIDDEN}
    return {"query": dict(request.GET.lists()), "form": form}
