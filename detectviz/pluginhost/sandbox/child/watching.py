"""Telling the host what a plugin tries, as far as Python itself notices.

No wall: code can hide from it. The walls refuse whatever happens; this is how an attempt that
nobody bothered to hide comes to the attention of the administrator.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

MOST_PER_MINUTE: Final = 20
_MOST_TEXT: Final = 200
_PROCESSES: Final = (
    "os.fork",
    "os.forkpty",
    "os.exec",
    "os.posix_spawn",
    "os.system",
    "subprocess.Popen",
)
_CONNECTIONS: Final = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo")
_OURS: Final = ("detectviz.contracts", "detectviz.pluginhost.sandbox.child")
_QUIET: Final = ("/code", "/site", "/tmp", "/usr", "/dev", "/proc/self", "/etc/localtime")  # noqa: S108 - the child's own

Report = Callable[[str, str], None]


def watch(report: Report, *, files: tuple[str, ...] = ()) -> None:
    """Call ``report(permission, wanted)`` for attempts from now on; it cannot be taken back."""
    quiet = (*_QUIET, sys.base_prefix, *files)
    state = threading.local()
    told: list[float] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if getattr(state, "is_busy", False):
            return
        state.is_busy = True
        try:
            attempt = _attempt(event, arguments, quiet)
            if attempt is not None and _may_tell(told):
                report(attempt[0], attempt[1][:_MOST_TEXT])
        except Exception:  # noqa: BLE001, S110 - what is watched must not fail by it
            pass
        finally:
            state.is_busy = False

    sys.addaudithook(hook)


def _may_tell(told: list[float]) -> bool:
    now = time.monotonic()
    told[:] = [each for each in told if now - each < 60]  # noqa: PLR2004 - a minute
    told.append(now)
    return len(told) <= MOST_PER_MINUTE


def _attempt(
    event: str, arguments: tuple[Any, ...], quiet: tuple[str, ...]
) -> tuple[str, str] | None:
    if event in _PROCESSES:
        return "processes", event
    if event in _CONNECTIONS:
        wanted = arguments[1] if event in {"socket.connect", "socket.bind"} else arguments[:2]
        return "network", f"{event} {wanted!r}"
    if event == "socket.__new__" and arguments[1] not in (socket.AF_UNIX, -1):
        return "network", f"socket of family {int(arguments[1])}"
    if event in {"open", "os.listdir", "os.scandir"}:
        path = arguments[0]
        is_foreign = isinstance(path, str) and path.startswith("/") and not path.startswith(quiet)
        return ("files", path) if is_foreign and path != "/" else None
    if event == "import":
        name = str(arguments[0])
        is_hidden = name.startswith(("detectviz.", "apps.")) and not name.startswith(_OURS)
        return ("imports", name) if is_hidden and name != "detectviz.pluginhost" else None
    return None
