"""Pages: one verb, ``answer``. Routes, navigation, widgets and partials stand in ``site.yaml``.

The plugin returns the name of one of its templates and plain data; the host renders. So a plugin
needs no template engine, runs isolated without a difference, and can show nothing but what the
host lets through.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from detectviz.contracts.series import SeriesQuerier
from detectviz.contracts.types import JsonObject

PageMethod = Literal["GET", "POST"]
PageTarget = Literal["route", "widget", "partial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """What somebody asks for: the ``name`` of a route, widget or partial of ``site.yaml``.

    ``parameters`` are those of the route's path, ``query`` and ``form`` as sent, every value of a
    name in its order. ``subject`` is empty but for a widget on the page of a monitor (its name)
    or of an alert (its fingerprint).
    """

    target: PageTarget
    name: str
    method: PageMethod = "GET"
    parameters: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    subject: str = ""

    def text(self, name: str, default: str = "") -> str:
        """Return the first value of ``name`` in the query, or ``default``."""
        values = self.query.get(name, ())
        return values[0] if values else default


class ResourceReader(Protocol):
    """The org's resources as the reader of the page may see them."""

    def list(
        self, api_version: str, kind: str, *, label_selector: str = "", limit: int = 100
    ) -> Sequence[JsonObject]:
        """Return envelopes (metadata, spec, status) by name; at most 500; secrets are masked.

        Raise PluginError for a kind there is not, and where the reader may not list it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesContext:
    """Everything one answer may use, in the name of who is looking.

    ``permissions`` are those of ``site.yaml`` that the reader holds somewhere in the org.
    ``series`` is None where the reader may not read series (``series:read``) or the manifest does
    not ask for them (``permissions.series: [read]``), so a plugin must do without.
    ``settings`` are what the org set for the plugin.
    """

    org: str
    user: str
    permissions: frozenset[str]
    settings: JsonObject
    resources: ResourceReader
    series: SeriesQuerier | None
    timeout_s: float
    now: Callable[[], datetime]
    logger: logging.Logger

    @property
    def now_ms(self) -> int:
        """The moment of the question, for queries of series."""
        return int(self.now().timestamp() * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAnswer:
    """A template of the plugin's folder ``templates/`` with its data, or a route to go to.

    ``status`` is 200, or 404 or 422 with a template that says why.
    """

    template: str = ""
    data: JsonObject = field(default_factory=dict)
    status: int = 200
    redirect: str = ""


class PagesPlugin(Protocol):
    """A pages plugin's capability class; constructed once per process, without arguments."""

    def answer(self, request: PageRequest, context: PagesContext) -> PageAnswer:
        """Answer within ``context.timeout_s``; raise PluginError to have the reason shown."""
