"""What can go wrong with a plugin before it does any work."""

from dataclasses import dataclass
from pathlib import Path

from detectviz.contracts.types import PluginKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginProblem:
    """One thing to put right: the file, the JSON pointer inside it, and what to do."""

    path: Path
    field: str
    message: str

    @property
    def sentence(self) -> str:
        """Read as ``file at /field: message``."""
        place = f"{self.path} at {self.field}" if self.field else str(self.path)
        return f"{place}: {self.message}"


class PluginHostError(Exception):
    """A plugin cannot be used; the message says why and what to do next."""

    def __init__(self, message: str, *, kind: PluginKind, name: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.name = name


class NotRegisteredError(PluginHostError):
    """No folder of that kind and name was found."""


class BrokenPluginError(PluginHostError):
    """The plugin was found and cannot be used; ``problems`` has every reason."""

    def __init__(
        self, message: str, *, kind: PluginKind, name: str, problems: tuple[PluginProblem, ...]
    ) -> None:
        super().__init__(message, kind=kind, name=name)
        self.problems = problems
