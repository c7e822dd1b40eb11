"""How much a process matters to the kernel."""

import os
from contextlib import suppress
from pathlib import Path


def priority_lower(niceness: int) -> None:
    """Let this process and its children stand back behind all others, 0 beside them.

    Where the kernel gives each session a share of its own (autogroups), niceness counts only within
    one: so the process becomes a session, and the session stands back as well. Else what it burns
    would be taken off what the session's other processes may.
    """
    os.nice(niceness)
    with suppress(OSError):  # it leads a session already, or the kernel has no autogroups
        os.setsid()
        Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")
