"""What plugins there are, read once per process."""

from functools import cache

from django.conf import settings

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.catalogue import Catalogue, PluginDescription, scan


@cache
def catalogue() -> Catalogue:
    """Return the process's one catalogue: the built-in plugins, then ``DETECTVIZ_PLUGIN_DIRS``.

    Scanned at the first call; ``catalogue.cache_clear()`` makes the next call scan again.
    """
    return scan([settings.BASE_DIR / "plugins", *settings.PLUGIN_DIRS])


def plugin_list(kind: PluginKind | None = None) -> tuple[PluginDescription, ...]:
    """Return every plugin, broken ones too, by kind and name."""
    return catalogue().list(kind)


def plugin_manifest(kind: PluginKind, name: str) -> Manifest:
    """Return the manifest of a usable plugin; raise NotRegisteredError or BrokenPluginError."""
    return catalogue().manifest(kind, name)
