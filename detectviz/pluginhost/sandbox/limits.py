"""How much a child may use, and how it is walled in."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal

from detectviz.pluginhost.sandbox.child.walls import FIRST_UID
from detectviz.pluginhost.scope import current_scope

Confinement = Literal["require", "degrade"]
_UIDS: Final = 100_000
_uids = count(os.getpid())


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one child may use. Sizes in bytes, times in seconds.

    ``memory_bytes`` is address space; a plugin cannot start processes, so it is all there is.
    ``processes`` counts threads too.
    """

    memory_bytes: int = 1_073_741_824
    file_bytes: int = 16_777_216
    scratch_bytes: int = 33_554_432
    open_files: int = 64
    cpu_s: int = 3_600
    processes: int = 64
    nice: int = 5
    largest_frame: int = 16_777_216
    calls: int = 64
    services_per_call: int = 10_000
    start_s: float = 15.0
    default_call_s: float = 60.0
    grace_s: float = 1.0
    idle_s: float = 120.0
    children: int = 16

    def walls(self, *, uid: int, may_fork: bool, may_connect: bool) -> dict[str, Any]:
        """Return what the child is to give up, as ``walls.put_up`` reads it."""
        names = ("memory_bytes", "file_bytes", "open_files", "cpu_s", "processes", "nice")
        values = asdict(self)
        kept = {name: values[name] for name in names}
        return {**kept, "uid": uid, "may_fork": may_fork, "may_connect": may_connect}


def own_uid() -> int:
    """Return a user id nobody else has, for a child of root; 0 where we are not root."""
    return FIRST_UID + next(_uids) % _UIDS if os.geteuid() == 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxPolicy:
    """What the deployment wants of isolation.

    ``confinement`` ``require`` refuses to run where bubblewrap cannot; ``degrade`` runs with
    limits and the system call filter alone, which hides no files. ``scope`` names whose call this
    is: calls of two scopes never share a process.
    """

    confinement: Confinement = "require"
    limits: Limits = field(default_factory=Limits)
    scope: Callable[[], str] = current_scope
    hidden: tuple[Path, ...] = ()
