"""The manifest: what ``plugin.yaml`` says about a plugin."""

from dataclasses import dataclass, field
from typing import Literal

from detectviz.contracts.types import JsonObject, PluginKind

API_VERSION = "detectviz/v1"

Category = Literal["core", "community", "custom"]
Quality = Literal["experimental", "stable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What the plugin asks the host for; everything else is refused.

    ``network`` are protocols; ``hosts`` whom to reach with them: names, ``*.example.org``, networks
    such as ``10.0.0.0/8``, each with ``:port`` if wanted, ``config`` for those the configuration
    names (what none means) and ``*``. ``files`` are absolute paths shown to its own process,
    or ``discovery`` for the org's folder. ``series`` of ``("read",)`` gives a datasource the org's
    own store. ``events`` are ``subscribe:Type`` with ``*``; ``commands`` of
    ``("scripts",)`` runs the operator's scripts; ``platform`` of ``read`` and ``write`` gives an
    importer or exporter the org's own data, with the rights of the pipeline's owner.
    """

    network: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A checked manifest. ``capability`` is ``module:Class`` inside the plugin's folder.

    ``config_schema`` is JSON Schema (2020-12): ``writeOnly: true`` marks a secret (stored apart,
    never read back); ``x-order``, ``x-group``, ``x-widget`` (textarea, code), ``x-placeholder``,
    ``x-show-if`` ({field: value or list of values}), ``x-labels`` ({choice: label}) lay out the
    form made from it; ``x-hint`` is said in place of a pattern, ``x-target: true`` marks where
    secrets are sent, ``x-template: true`` a notifier's text that the host renders as a
    notification template before the plugin sees it; ``x-plugins`` makes a text property a choice
    of the plugins of that kind, with the options of each as ``<name>_sd`` beside it (put in when
    the host scans);
    ``x-connection``, of a datasource's schema as a whole, is an object schema of the connection
    fields it uses (url, user, database, basic_auth, basic_auth_user). Formats:
    calendar, cron, date-time, duration, email, hostname, regex (RE2), timezone, uri. References to
    its own ``$defs`` have been inlined.

    ``query_schema`` is the same for one query of a datasource (``query.schema.json``): editor,
    validation and defaults are made from it; it has no secrets. Empty for the other kinds.

    ``aliases`` are further names of the plugin, ``children`` (kind/name) the plugins it brings
    along in its folder ``children/``. An eager plugin is loaded when a process starts, the others
    at their first call. ``settings_schema`` (``settings.schema.json``) is what an org sets once
    for the plugin; empty where there is nothing to set. ``site`` (``site.yaml``) are the routes,
    navigation, widgets and partials of a plugin of pages. ``callback``, of a notifier that takes
    presses (``contracts.presses``), has ``key`` (what the key is) and ``setup``, the steps to
    take, with ``{url}`` for the address and backticks around what is typed.
    """

    name: str
    kind: PluginKind
    version: str
    title: str
    description: str
    category: Category
    api_version: str
    engine_version: str
    capability: str
    config_schema: JsonObject
    requirements: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    permissions: Permissions = field(default_factory=Permissions)
    quality: Quality = "stable"
    defaults: JsonObject = field(default_factory=dict)
    query_schema: JsonObject = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    is_eager: bool = False
    settings_schema: JsonObject = field(default_factory=dict)
    site: JsonObject = field(default_factory=dict)
    callback: JsonObject = field(default_factory=dict)
