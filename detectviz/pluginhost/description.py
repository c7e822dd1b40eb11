"""One plugin as it was found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import BrokenPluginError, PluginProblem, UnavailableError

PluginKey: TypeAlias = tuple[PluginKind, str]
PluginStatus = Literal["available", "loaded", "broken", "disabled"]
TrustLevel = Literal["core", "verified", "community", "custom"]


def shown(key: PluginKey) -> str:
    """Return ``kind/name``."""
    return f"{key[0].value}/{key[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginDescription:
    """One plugin as lists show it. ``manifest`` is None where it could not be read.

    ``source`` names where it was found, ``parent`` the plugin that brought it, ``fingerprint``
    changes whenever a file of the folder does. ``is_isolated`` asks for a process of its own.
    """

    kind: PluginKind
    name: str
    status: PluginStatus
    folder: Path
    manifest: Manifest | None
    problems: tuple[PluginProblem, ...] = ()
    source: str = "directory"
    parent: PluginKey | None = None
    fingerprint: str = ""
    trust: TrustLevel = "core"
    is_isolated: bool = False

    @property
    def key(self) -> PluginKey:
        """Kind and name."""
        return self.kind, self.name

    @property
    def is_usable(self) -> bool:
        """True when it may be loaded."""
        return self.status in {"available", "loaded"}

    def require(self) -> Manifest:
        """Return the manifest of a usable plugin; raise BrokenPluginError or UnavailableError."""
        if self.manifest is not None and self.is_usable:
            return self.manifest
        reasons = "; ".join(problem.sentence for problem in self.problems)
        label = shown(self.key)
        if self.status == "disabled":
            raise UnavailableError(
                f"The plugin {label} is switched off: {reasons}",
                kind=self.kind,
                name=self.name,
                reason="disabled",
            )
        raise BrokenPluginError(
            f"The plugin {label} is broken: {reasons}",
            kind=self.kind,
            name=self.name,
            problems=self.problems,
        )
