"""What plugins there are, read once per process."""

import threading
from pathlib import Path

from django.conf import settings

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.catalogue import Catalogue, scan
from detectviz.pluginhost.description import PluginDescription

_lock = threading.Lock()
_scanned: list[Catalogue] = []


def catalogue() -> Catalogue:
    """Return the process's one catalogue: the built-in plugins, then ``DETECTVIZ_PLUGIN_DIRS``."""
    with _lock:
        if not _scanned:
            _scanned.append(
                scan(
                    [settings.BASE_DIR / "plugins", *settings.PLUGIN_DIRS],
                    off=settings.PLUGINS_OFF,
                )
            )
        return _scanned[0]


def catalogue_use(plugins: Catalogue | None) -> None:
    """Put ``plugins`` in the place of the process's own; None has the next call scan again."""
    with _lock:
        _scanned[:] = [] if plugins is None else [plugins]


def plugin_list(kind: PluginKind | None = None) -> tuple[PluginDescription, ...]:
    """Return every plugin, broken ones too, by kind and name."""
    return catalogue().list(kind)


def plugin_manifest(kind: PluginKind, name: str) -> Manifest:
    """Return the manifest of a usable plugin; raise NotRegisteredError or BrokenPluginError."""
    return catalogue().manifest(kind, name)


def plugin_icon_path(kind: str, name: str) -> Path | None:
    """Return where a plugin's icon lies, None for unknown plugins and those without one."""
    for plugin in catalogue().list():
        path = plugin.folder / "static" / "icon.svg"
        if (plugin.kind.value, plugin.name) == (kind, name):
            return next(
                (each for each in (path, plugin.folder / "icon.svg") if each.is_file()), None
            )
    return None
