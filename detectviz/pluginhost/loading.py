"""Importing a plugin's folder as ``plugins.<kind>.<name>``, wherever the folder lies."""

import sys
from importlib import import_module, invalidate_caches
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.manifest import folder_name

ROOT_PACKAGE = "plugins"


def package_name(kind: PluginKind, name: str) -> str:
    """Return the full name of the plugin's package."""
    return f"{ROOT_PACKAGE}.{kind.value}.{folder_name(name)}"


def load_capability(folder: Path, manifest: Manifest) -> object:
    """Import the plugin and return a new instance of its capability class.

    Whatever the plugin's code raises comes out unchanged; the caller decides what it means.
    """
    package = package_name(manifest.kind, manifest.name)
    ensure_package(package, folder)
    module_name, _, class_name = manifest.capability.partition(":")
    capability: type[object] = getattr(import_module(f"{package}.{module_name}"), class_name)
    return capability()


def package_forget(kind: PluginKind, name: str) -> None:
    """Forget the modules of a plugin, so that its next instance is made of what its folder has."""
    _forget(package_name(kind, name))
    invalidate_caches()


def _forget(name: str) -> None:
    for loaded in [each for each in sys.modules if f"{each}.".startswith(f"{name}.")]:
        del sys.modules[loaded]


def ensure_package(name: str, folder: Path) -> None:
    """Have ``folder`` be the package ``name``, in place of another one of that name."""
    known = sys.modules.get(name)
    if known is not None:
        if str(folder) in getattr(known, "__path__", ()):
            return
        # The same name from another folder, as between two hosts of one test run.
        _forget(name)
    parent, _, child = name.rpartition(".")
    ensure_parents(parent)
    package = _make_package(name, folder)
    setattr(sys.modules[parent], child, package)


def ensure_parents(name: str) -> None:
    """Have the package ``name`` and those above it, made where the installation has none."""
    root, _, _ = name.partition(".")
    for package in (root, name):
        if package not in sys.modules:
            sys.modules[package] = _import_or_make(package)


def _import_or_make(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        # A kind of which this installation has no built-in plugin.
        spec = ModuleSpec(name, None, is_package=True)
        return module_from_spec(spec)


def _make_package(name: str, folder: Path) -> ModuleType:
    initialiser = folder / "__init__.py"
    locations = [str(folder)]
    if initialiser.is_file():
        spec = spec_from_file_location(name, initialiser, submodule_search_locations=locations)
    else:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = locations
    if spec is None:
        raise ImportError(f"{initialiser} cannot be imported.", name=name)
    package = module_from_spec(spec)
    sys.modules[name] = package
    try:
        if spec.loader is not None:
            spec.loader.exec_module(package)
    except BaseException:
        del sys.modules[name]
        raise
    return package
