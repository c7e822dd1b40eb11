"""Programs of the operator, run for a check or notification. The host walls in and ends them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One run: an argument vector, never a shell.

    ``program`` is a path below the folder the operator filled for the org. ``stdin`` is
    the way of secrets: arguments and environment can be seen by more.
    """

    program: str
    arguments: tuple[str, ...] = ()
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    max_output_bytes: int = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How a run ended. ``exit_code`` is None when it was ended, and ``ended_by`` says why."""

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    duration_s: float
    ended_by: str = ""


class BlockingCommandRunner(Protocol):
    """What a notifier may run on the machine it is on, from a worker thread."""

    def run(self, command: Command) -> CommandResult:
        """Run to the end, the timeout or a limit; raise PluginError for what cannot be run."""


class CommandRunner(Protocol):
    """What a collector may run on the machine it is on."""

    async def run(self, command: Command) -> CommandResult:
        """Run to the end, the timeout or a limit; raise PluginError for what cannot be run."""
