"""One plugin as it was found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import PluginProblem

PluginStatus = Literal["available", "loaded", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginDescription:
    """One plugin as lists show it. ``manifest`` is None where it could not be read."""

    kind: PluginKind
    name: str
    status: PluginStatus
    folder: Path
    manifest: Manifest | None
    problems: tuple[PluginProblem, ...] = ()
