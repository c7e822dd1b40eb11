"""What this deployment believes of plugins, made from settings and the trust folder."""

from pathlib import Path

from django.conf import settings

from detectviz.pluginhost.installing import COPIES
from detectviz.pluginhost.registries import Registry, registries_parse
from detectviz.pluginhost.trust import TrustPolicy, core_holds
from detectviz.pluginhost.truststate import TrustState
from detectviz.pluginhost.truststores import trust_files_read

UNSIGNED_DIRECTORIES = "directories"


def plugins_root() -> Path:
    """Return the folder that installed plugins lie in."""
    return Path(settings.DATA_DIR) / "plugins"


def copies_root() -> Path:
    """Return the folder of what plugins in processes of their own start from."""
    return plugins_root() / COPIES


def is_core(folder: Path) -> bool:
    """Return whether a plugin came with the installation."""
    return core_holds(settings.BASE_DIR / "plugins", folder.resolve())


def plugin_policy() -> TrustPolicy:
    """Read the trust folder now, so that a revocation counts from the next judgement on."""
    named = frozenset(settings.PLUGINS_UNSIGNED)
    is_open = UNSIGNED_DIRECTORIES in named and settings.IS_EMBEDDED
    return TrustPolicy(
        state=TrustState(Path(settings.DATA_DIR) / "secrets" / "plugins-seen.json"),
        files=trust_files_read(settings.PLUGIN_TRUST_DIR),
        core_folders=(settings.BASE_DIR / "plugins",),
        unsigned=named - {UNSIGNED_DIRECTORIES},
        unsigned_folders=tuple(settings.PLUGIN_DIRS) if is_open else (),
    )


def plugin_registries() -> tuple[Registry, ...]:
    """Return the registries of the settings; raise ValueError with a sentence."""
    return registries_parse(settings.PLUGIN_REGISTRIES, settings.PLUGIN_REGISTRY_TOKENS)
