"""What can go wrong with a plugin, before it does any work and while it does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from detectviz.contracts.types import PluginKind

Unavailability = Literal["broken", "decommissioned", "disabled"]


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
    """No plugin of that kind and name was found."""


class UnavailableError(PluginHostError):
    """The plugin is there and cannot be used now; ``reason`` says in a word why."""

    def __init__(
        self, message: str, *, kind: PluginKind, name: str, reason: Unavailability
    ) -> None:
        super().__init__(message, kind=kind, name=name)
        self.reason: Unavailability = reason


class BrokenPluginError(UnavailableError):
    """The plugin was found and cannot be used; ``problems`` has every reason."""

    def __init__(
        self, message: str, *, kind: PluginKind, name: str, problems: tuple[PluginProblem, ...]
    ) -> None:
        super().__init__(message, kind=kind, name=name, reason="broken")
        self.problems = problems


class MethodNotImplementedError(PluginHostError):
    """The plugin does not do what was asked; ``operation`` names the method it lacks."""

    def __init__(self, *, kind: PluginKind, name: str, operation: str) -> None:
        message = f"The plugin {kind.value}/{name} does not offer {operation!r}."
        super().__init__(message, kind=kind, name=name)
        self.operation = operation


class RequestCancelledError(PluginHostError):
    """Nobody waits for the answer any more."""


class RequestFailedError(PluginHostError):
    """The plugin could not do its work; what it raised is ``__cause__``.

    ``permanent`` is true when asking again cannot help.
    """

    def __init__(
        self, message: str, *, kind: PluginKind, name: str, permanent: bool = False
    ) -> None:
        super().__init__(message, kind=kind, name=name)
        self.permanent = permanent


class HealthCheckFailedError(RequestFailedError):
    """The plugin could not even tell whether it works."""
