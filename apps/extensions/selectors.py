"""What plugins there are, read once per process."""

import threading
from pathlib import Path

from django.conf import settings

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.client import PluginClient
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import scan
from detectviz.pluginhost.sources import EntryPointSource, FolderSource, Source
from detectviz.pluginhost.store import Store

_lock = threading.Lock()
_hosts: list[PluginHost] = []


def plugin_host() -> PluginHost:
    """Return the process's one plugin host."""
    with _lock:
        if not _hosts:
            _hosts.append(PluginHost(plugins_scan()))
        return _hosts[0]


def plugins_scan() -> Store:
    """Look for plugins now: built-in ones, ``DETECTVIZ_PLUGIN_DIRS``, installed bundles, packages.

    The first of one name wins, so that nothing installed takes the place of what is built in.
    """
    sources: list[Source] = [
        FolderSource(folder=settings.BASE_DIR / "plugins", source="built-in"),
        *(FolderSource(folder=folder) for folder in settings.PLUGIN_DIRS),
        FolderSource(
            folder=Path(settings.DATA_DIR) / "plugins", source="installed", is_optional=True
        ),
        EntryPointSource(),
    ]
    return scan(sources, off=settings.PLUGINS_OFF)


def plugin_host_use(host: PluginHost | None) -> None:
    """Put ``host`` in the place of the process's own; None has the next call make a new one."""
    with _lock:
        _hosts[:] = [] if host is None else [host]


def plugin_client() -> PluginClient:
    """Return the way of this process's calls to plugins."""
    return plugin_host().client


def plugin_list(kind: PluginKind | None = None) -> tuple[PluginDescription, ...]:
    """Return every plugin, broken ones too, by kind and name."""
    return plugin_host().list(kind)


def plugin_manifest(kind: PluginKind, name: str) -> Manifest:
    """Return the manifest of a usable plugin; raise NotRegisteredError or UnavailableError."""
    return plugin_host().manifest(kind, name)


def plugin_icon_path(kind: str, name: str) -> Path | None:
    """Return where a plugin's icon lies, None for unknown plugins and those without one."""
    for plugin in plugin_host().list():
        path = plugin.folder / "static" / "icon.svg"
        if (plugin.kind.value, plugin.name) == (kind, name):
            return next(
                (each for each in (path, plugin.folder / "icon.svg") if each.is_file()), None
            )
    return None
