"""Importing a plugin from bytes that were verified, and from nothing else.

Between verifying a folder and importing from it somebody may write to it, and Python prefers
compiled leftovers in ``__pycache__`` to what was signed. So the modules come out of memory. The
names and the file names in tracebacks are as if they came from the folder.
"""

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

from detectviz.contracts.manifest import Manifest
from detectviz.pluginhost.files import PluginFiles
from detectviz.pluginhost.loading import ensure_parents, package_forget, package_name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    name: str
    folder: Path
    prefix: str
    files: PluginFiles

    def find(self, module: str) -> tuple[str, bool] | None:
        """Return the path of a module among the files, and whether it is a package."""
        inner = module.removeprefix(self.name).lstrip(".").replace(".", "/")
        path = f"{self.prefix}{inner}".rstrip("/")
        initialiser = f"{path}/__init__.py".lstrip("/")
        if initialiser in self.files.contents:
            return initialiser, True
        if f"{path}.py" in self.files.contents and inner:
            return f"{path}.py", False
        is_folder = any(each.startswith(f"{path}/".lstrip("/")) for each in self.files.contents)
        return (f"{path}/".lstrip("/"), True) if is_folder else None


class _Loader(InspectLoader):
    def __init__(self, package: _Package, path: str, *, is_package: bool) -> None:
        self._package, self._path, self._is_package = package, path, is_package

    def is_package(self, fullname: str) -> bool:
        return self._is_package

    def get_source(self, fullname: str) -> str:
        data = self._package.files.contents.get(self._path, b"")
        return data.decode("utf-8")

    def get_code(self, fullname: str) -> CodeType:
        place = str(self._package.folder / self._path.removeprefix(self._package.prefix))
        return self.source_to_code(self.get_source(fullname), place)

    def exec_module(self, module: ModuleType) -> None:
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102 - this is what a loader is for


class _Finder(MetaPathFinder):
    """Answers for packages made of verified files, also that a module is not among them."""

    def __init__(self) -> None:
        self.packages: dict[str, _Package] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parts = fullname.split(".")
        name = ".".join(parts[:3])
        package = self.packages.get(name)
        if package is None or not _is_ours(name):
            return None
        found = package.find(fullname)
        if found is None:
            raise ModuleNotFoundError(f"No module named {fullname!r} was verified.", name=fullname)
        place, is_package = found
        loader = _Loader(package, place, is_package=is_package)
        file = package.folder / place.removeprefix(package.prefix)
        spec = ModuleSpec(fullname, loader, origin=str(file), is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [str(file.parent if file.suffix else file)]
        return spec


def _is_ours(name: str) -> bool:
    """Return whether the package is not there yet or was made here, not of a folder since."""
    known = sys.modules.get(name)
    return known is None or isinstance(getattr(known.__spec__, "loader", None), _Loader)


_finder = _Finder()
_lock = threading.Lock()


def load_verified(
    files: PluginFiles, folder: Path, manifest: Manifest, *, prefix: str = ""
) -> object:
    """Import the plugin out of ``files`` and return a new instance of its capability class.

    ``folder`` is where the plugin lies, ``prefix`` its path among the files (a plugin that
    another brought along). What the plugin's code raises comes out unchanged.
    """
    name = package_name(manifest.kind, manifest.name)
    with _lock:
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        package_forget(manifest.kind, manifest.name)
        _finder.packages[name] = _Package(name=name, folder=folder, prefix=prefix, files=files)
    ensure_parents(name.rpartition(".")[0])
    module_name, _, class_name = manifest.capability.partition(":")
    capability: type[object] = getattr(import_module(f"{name}.{module_name}"), class_name)
    return capability()
