"""Pages of plugins: who may see what, the plugin's answer, and its HTML."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

from django.conf import settings
from django.utils.module_loading import import_string

from apps.extensions.selectors import (
    is_enabled,
    plugin_assets,
    plugin_client,
    plugin_list,
    plugin_settings,
)
from detectviz.clock import utc_now
from detectviz.contracts.errors import PluginError
from detectviz.contracts.pages import PageAnswer, PageRequest, PagesContext, PagesPlugin
from detectviz.contracts.series import SeriesQuerier
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.permissions.access import Access
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.errors import PluginHostError
from detectviz.pluginhost.site import Site, site_of
from detectviz.resources.envelope import envelope_of
from detectviz.resources.errors import NotFoundError
from detectviz.resources.registry import registry
from detectviz.resources.selectors import MAX_LIMIT, ListQuery, resource_list
from detectviz.web.plugin_templates import PluginTemplates

TIMEOUT_S: Final = 10.0
READ: Final = "read"
READ_SERIES: Final = "series:read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """In whose name a page is made."""

    org: Any
    user: Any
    access: Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What came of a question: HTML, a route to go to, or a sentence that says what failed."""

    html: str = ""
    status: int = 200
    redirect: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class OrgResources:
    """contracts' ResourceReader with the rights of who is looking."""

    reader: Reader

    def list(
        self, api_version: str, kind: str, *, label_selector: str = "", limit: int = 100
    ) -> Sequence[JsonObject]:
        """Return envelopes the reader may read."""
        found = registry.by_kind(api_version, kind)
        if found is None:
            raise PluginError(f"There is no resource {api_version} {kind}.", permanent=True)
        permission = f"{found.permission}:read"
        if not self.reader.access.allows_somewhere(permission):
            raise PluginError(f"It takes the permission {permission}.", permanent=True)
        rows = self.reader.access.filter(found.queryset(self.reader.org), permission)
        query = ListQuery(limit=max(1, min(limit, MAX_LIMIT)), label_selector=label_selector)
        return [envelope_of(found, row) for row in resource_list(found, rows, query).rows]


def site_list(org: str) -> list[tuple[PluginDescription, Site]]:
    """Return the pages plugins an org can use now, with what they add; imports none of them."""
    return [
        (plugin, site_of(plugin.manifest.site))
        for plugin in plugin_list(PluginKind.PAGES)
        if plugin.is_usable and plugin.manifest is not None and is_enabled(plugin, org)
    ]


def site_get(org: str, name: str) -> tuple[PluginDescription, Site]:
    """Return one of them; raise NotFoundError."""
    for plugin, site in site_list(org):
        if plugin.name == name:
            return plugin, site
    raise NotFoundError(f"There are no pages {name!r}, or they are switched off.")


def page_answer(
    *,
    reader: Reader,
    plugin: PluginDescription,
    site: Site,
    request: PageRequest,
    base: str,
    csrf_field: str = "",
) -> Rendered:
    """Ask the plugin and render what it answers; never raises for what the plugin does."""
    context = _context(reader, plugin, site)

    def ask(instance: PagesPlugin) -> Rendered:
        return _rendered(instance.answer(request, context), plugin, site, base, csrf_field)

    try:
        return plugin_client().call(
            PluginKind.PAGES, plugin.name, "answer", ask, org=reader.org.name
        )
    except PluginHostError as error:
        return Rendered(problem=str(error), status=502)


def _rendered(
    answer: PageAnswer, plugin: PluginDescription, site: Site, base: str, csrf_field: str
) -> Rendered:
    routes = {route.name: route.path for route in site.routes}
    if answer.redirect:
        if "<" in routes.get(answer.redirect, "<"):
            raise PluginError(f"There is no route {answer.redirect!r} to go to.", permanent=True)
        return Rendered(redirect=base + routes[answer.redirect])
    assets = plugin_assets(plugin.kind.value, plugin.name)
    files = f"/plugins/assets/{plugin.kind.value}/{plugin.name}/{assets.digest}/" if assets else ""
    templates = _templates(plugin.folder, plugin.name, _stamp(plugin.folder))
    html = templates.render(
        answer.template, answer.data, base=base, assets=files, routes=routes, csrf_field=csrf_field
    )
    return Rendered(html=html, status=answer.status if answer.status in {200, 404, 422} else 200)


def _context(reader: Reader, plugin: PluginDescription, site: Site) -> PagesContext:
    own = plugin_settings(reader.org, plugin.kind, plugin.name)
    return PagesContext(
        org=reader.org.name,
        user=reader.user.get_username(),
        permissions=frozenset(filter(reader.access.allows_somewhere, site.permissions)),
        settings=own.config,
        resources=OrgResources(reader),
        series=_series(reader, plugin),
        timeout_s=TIMEOUT_S,
        now=utc_now,
        logger=logging.getLogger(f"detectviz.pages.{plugin.name}"),
    )


def _series(reader: Reader, plugin: PluginDescription) -> SeriesQuerier | None:
    """Return the org's own series where plugin and reader may read them: the port is filled above.

    Plugins run only when all they declare is approved.
    """
    is_declared = READ in plugin.require().permissions.series
    if not is_declared or not reader.access.allows(READ_SERIES):
        return None
    until_s = time.monotonic() + TIMEOUT_S
    make = import_string(settings.DETECTVIZ_SERIES_QUERIER)
    return cast("SeriesQuerier", make(reader.org, is_cancelled=lambda: time.monotonic() > until_s))


@lru_cache(maxsize=100)
def _templates(folder: Path, name: str, stamp: tuple[int, ...]) -> PluginTemplates:
    return PluginTemplates(folder, plugin=name)


def _stamp(folder: Path) -> tuple[int, ...]:
    return tuple(path.stat().st_mtime_ns for path in sorted((folder / "templates").rglob("*.html")))
