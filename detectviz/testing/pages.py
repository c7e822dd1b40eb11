"""The conformance suite of pages."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import django
import pytest
from django.conf import settings

from detectviz.contracts.errors import PluginError
from detectviz.contracts.pages import (
    PageAnswer,
    PageMethod,
    PageRequest,
    PagesContext,
    PagesPlugin,
    PageTarget,
)
from detectviz.contracts.series import SeriesQuerier
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.permissions.table import ALL_PERMISSIONS
from detectviz.pluginhost.site import Site, site_of
from detectviz.testing.datasource_fakes import FakeSeries
from detectviz.testing.plugins import built_in_plugins
from detectviz.web.plugin_templates import PluginTemplates

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script>'


class FakeResources:
    """contracts' ResourceReader over what it was given."""

    def __init__(self, envelopes: Sequence[JsonObject] = ()) -> None:
        self._envelopes = envelopes

    def list(
        self, api_version: str, kind: str, *, label_selector: str = "", limit: int = 100
    ) -> Sequence[JsonObject]:
        """Return the envelopes of the kind."""
        return [each for each in self._envelopes if each.get("kind") == kind][:limit]


def make_monitor(name: str, state: str = "up", **metadata: JsonObject) -> JsonObject:
    """Return the envelope of a monitor."""
    return {
        "apiVersion": "monitoring/v1",
        "kind": "Monitor",
        "metadata": {"name": name, "labels": {}, **metadata},
        "spec": {"title": f"{name} {HOSTILE}", "type": "http", "enabled": True},
        "status": {"state": state, "message": HOSTILE, "since": "2026-01-01T00:00:00Z"},
    }


def make_pages_context(
    name: str, *, envelopes: Sequence[JsonObject] = (), series: SeriesQuerier | None = None
) -> PagesContext:
    """Return the context the host would give the plugin for somebody with all permissions."""
    site = site_of(built_in_plugins().manifest(PluginKind.PAGES, name).site)
    return PagesContext(
        org="acme",
        user="ada",
        permissions=site.permissions,
        settings={},
        resources=FakeResources(envelopes),
        series=series,
        timeout_s=5.0,
        now=lambda: NOW,
        logger=logging.getLogger(f"tests.pages.{name}"),
    )


class PagesSuite:
    """What every pages plugin must do. Subclass it, set ``name`` and perhaps ``series``."""

    name = ""
    series: SeriesQuerier = FakeSeries()
    envelopes: Sequence[JsonObject] = (make_monitor("web"), make_monitor("db", "down"))

    @pytest.fixture
    def plugin(self) -> PagesPlugin:
        """Return the plugin, loaded as the host loads it."""
        return cast("PagesPlugin", built_in_plugins().load(PluginKind.PAGES, self.name))

    @property
    def site(self) -> Site:
        """What ``site.yaml`` says."""
        return site_of(built_in_plugins().manifest(PluginKind.PAGES, self.name).site)

    def test_its_permissions_exist(self) -> None:
        assert self.site.permissions <= ALL_PERMISSIONS

    def test_every_part_renders_what_it_answers(self, plugin: PagesPlugin) -> None:
        for target, name, methods in self._parts():
            for method in methods:
                for envelopes in (self.envelopes, ()):
                    text = self._shown(plugin, target, name, method, envelopes)
                    assert "<script" not in text

    def _parts(self) -> list[tuple[PageTarget, str, tuple[str, ...]]]:
        return [
            *(("route", each.name, each.methods) for each in self.site.routes),
            *(("widget", each.name, ("GET",)) for each in self.site.widgets),
            *(("partial", each.name, ("GET",)) for each in self.site.partials),
        ]

    def _shown(
        self,
        plugin: PagesPlugin,
        target: PageTarget,
        name: str,
        method: str,
        envelopes: Sequence[JsonObject],
    ) -> str:
        context = make_pages_context(self.name, envelopes=envelopes, series=self.series)
        asked: Mapping[str, list[str]] = {"q": [HOSTILE]}
        request = PageRequest(
            target=target, name=name, method=cast("PageMethod", method), query=asked, form=asked
        )
        try:
            answer = plugin.answer(request, context)
        except PluginError as error:
            return error.message
        return self.rendered(answer)

    def rendered(self, answer: PageAnswer) -> str:
        """Return the HTML the host would show of an answer."""
        _django_ready()
        if answer.redirect:
            assert answer.redirect in {each.name for each in self.site.routes}
            return ""
        folder = built_in_plugins().describe(PluginKind.PAGES, self.name).folder
        templates = PluginTemplates(folder, plugin=self.name)
        routes = {each.name: each.path for each in self.site.routes}
        return str(
            templates.render(
                answer.template,
                answer.data,
                base="/o/acme/x/p/",
                assets="/plugins/assets/pages/p/0/",
                routes=routes,
            )
        )


def _django_ready() -> None:
    """Let tags work outside of a Django project, which is where authors test their plugins."""
    if not settings.configured:
        settings.configure(STATIC_URL="/static/")
        django.setup()
