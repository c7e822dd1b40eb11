"""Where plugins come from: folders, installed bundles, entry points of installed packages."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, Protocol

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import PluginProblem

ENTRY_POINTS: Final = "detectviz.plugins"
INSTALLED: Final = "installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A folder that should hold a plugin. ``has_own_name`` frees it of being named as it."""

    folder: Path
    kind: PluginKind
    source: str
    has_own_name: bool = False


class Source(Protocol):
    """One place where plugins are looked for."""

    def find(self, problems: list[PluginProblem]) -> Iterator[Found]:
        """Yield what is there, running none of it; add what is wrong with the place itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSource:
    """A folder laid out as ``<kind>/<name>/``; an optional one may be missing."""

    folder: Path
    source: str = "directory"
    is_optional: bool = False

    def find(self, problems: list[PluginProblem]) -> Iterator[Found]:
        """Yield each folder below a folder of a known kind."""
        place = self.folder.resolve()
        if not place.is_dir():
            if not self.is_optional:
                message = (
                    "There is no such plugin folder; create it or take it out of the settings."
                )
                problems.append(PluginProblem(path=place, field="", message=message))
            return
        for kind_folder in _folders(place):
            if kind_folder.name not in set(PluginKind):
                known = ", ".join(kind.value for kind in PluginKind)
                message = f"{kind_folder.name} is no kind of plugin; the kinds are {known}."
                problems.append(PluginProblem(path=kind_folder, field="", message=message))
                continue
            for folder in _folders(kind_folder):
                # An installed plugin is a link to its version: another one is another folder.
                place = folder.resolve() if self.source == INSTALLED else folder
                yield Found(folder=place, kind=PluginKind(kind_folder.name), source=self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPointSource:
    """Python packages that declare plugins, as ``"collectors/disk" = "acme.disk"``.

    The value is the package that holds ``plugin.yaml``. Nothing of it is imported here.
    """

    group: str = ENTRY_POINTS

    def find(self, problems: list[PluginProblem]) -> Iterator[Found]:
        """Yield the folder of each package that is declared."""
        for point in sorted(entry_points(group=self.group), key=lambda each: each.name):
            kind, _, _ = point.name.partition("/")
            folder = _package_folder(point.module)
            if kind in set(PluginKind) and folder is not None:
                yield Found(
                    folder=folder, kind=PluginKind(kind), source="entry point", has_own_name=True
                )
            else:
                problems.append(_entry_problem(point, kind))


def _folders(parent: Path) -> list[Path]:
    return sorted(
        entry for entry in parent.iterdir() if entry.is_dir() and entry.name[0] not in "._"
    )


def _package_folder(module: str) -> Path | None:
    """Find a package as the import system would, without importing the packages above it."""
    locations: list[str] | None = None
    name = ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        spec = PathFinder.find_spec(name, locations)
        if spec is None or spec.submodule_search_locations is None:
            return None
        locations = list(spec.submodule_search_locations)
    return Path(locations[0]).resolve() if locations else None


def _entry_problem(point: EntryPoint, kind: str) -> PluginProblem:
    if kind not in set(PluginKind):
        known = ", ".join(each.value for each in PluginKind)
        message = f"The entry point is called {point.name}; write kind/name with one of {known}."
    else:
        message = f"The entry point {point.name} names {point.module}, which is no package here."
    return PluginProblem(path=Path(point.module), field="", message=message)
