"""The table of plugin kinds: adding one is a contract, a conformance suite and a row here."""

from dataclasses import dataclass

from detectviz.contracts.types import PluginKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of plugin: its verb, and where its Protocol and conformance suite are."""

    kind: PluginKind
    title: str
    verb: str
    contract: str
    suite: str


KINDS: dict[PluginKind, Kind] = {
    PluginKind.AUTH: Kind(
        kind=PluginKind.AUTH,
        title="Authenticators",
        verb="authenticate",
        contract="detectviz.contracts.auth:Authenticator",
        suite="detectviz.testing.auth",
    ),
    PluginKind.CACHE: Kind(
        kind=PluginKind.CACHE,
        title="Caches",
        verb="open",
        contract="detectviz.contracts.cache:Cache",
        suite="detectviz.testing.cache",
    ),
    PluginKind.COLLECTOR: Kind(
        kind=PluginKind.COLLECTOR,
        title="Collectors",
        verb="check",
        contract="detectviz.contracts.collector:Collector",
        suite="detectviz.testing.collectors",
    ),
    PluginKind.DATASOURCE: Kind(
        kind=PluginKind.DATASOURCE,
        title="Datasources",
        verb="query",
        contract="detectviz.contracts.datasource:Datasource",
        suite="detectviz.testing.datasources",
    ),
    PluginKind.DISCOVERY: Kind(
        kind=PluginKind.DISCOVERY,
        title="Discovery",
        verb="discover",
        contract="detectviz.contracts.discovery:Discovery",
        suite="detectviz.testing.discovery",
    ),
    PluginKind.DRIVER: Kind(
        kind=PluginKind.DRIVER,
        title="Drivers",
        verb="open",
        contract="detectviz.contracts.driver:Driver",
        suite="detectviz.testing.drivers",
    ),
    PluginKind.EVENTBUS: Kind(
        kind=PluginKind.EVENTBUS,
        title="Event buses",
        verb="open",
        contract="detectviz.contracts.eventbus:EventBus",
        suite="detectviz.testing.eventbus",
    ),
    PluginKind.EXPORTER: Kind(
        kind=PluginKind.EXPORTER,
        title="Exporters",
        verb="write",
        contract="detectviz.contracts.exporter:Exporter",
        suite="detectviz.testing.exporters",
    ),
    PluginKind.IMPORTER: Kind(
        kind=PluginKind.IMPORTER,
        title="Importers",
        verb="read",
        contract="detectviz.contracts.importer:Importer",
        suite="detectviz.testing.importers",
    ),
    PluginKind.MIDDLEWARE: Kind(
        kind=PluginKind.MIDDLEWARE,
        title="Middlewares",
        verb="handle",
        contract="detectviz.contracts.middleware:Middleware",
        suite="detectviz.testing.middleware",
    ),
    PluginKind.NOTIFIER: Kind(
        kind=PluginKind.NOTIFIER,
        title="Notifiers",
        verb="notify",
        contract="detectviz.contracts.notifier:Notifier",
        suite="detectviz.testing.notifiers",
    ),
    PluginKind.PROCESSOR: Kind(
        kind=PluginKind.PROCESSOR,
        title="Processors",
        verb="process",
        contract="detectviz.contracts.processor:Processor",
        suite="detectviz.testing.processors",
    ),
    PluginKind.PAGES: Kind(
        kind=PluginKind.PAGES,
        title="Pages",
        verb="answer",
        contract="detectviz.contracts.pages:PagesPlugin",
        suite="detectviz.testing.pages",
    ),
    PluginKind.THEME: Kind(
        kind=PluginKind.THEME,
        title="Themes",
        verb="palette",
        contract="detectviz.contracts.theme:Theme",
        suite="detectviz.testing.themes",
    ),
    PluginKind.TOOL: Kind(
        kind=PluginKind.TOOL,
        title="Tools",
        verb="run",
        contract="detectviz.contracts.tool:Tool",
        suite="detectviz.testing.tools",
    ),
    PluginKind.VISUALIZER: Kind(
        kind=PluginKind.VISUALIZER,
        title="Visualizers",
        verb="visualize",
        contract="detectviz.contracts.visualizer:Visualizer",
        suite="detectviz.testing.visualizers",
    ),
}
