"""Turns of the writers of one file, by two advisory locks: the door and the room.

Who wants in waits at the door first, then, holding the door, for the room. Whoever leaves the room
and wants in again finds the door held by the one who waits for the room, and so comes after it. Of
those at the door, who had the room for long stays back for a while: short turns come first.
"""

import fcntl
import os
import time
from pathlib import Path

FIRST_LOOK_S = 0.000_5
LONGEST_LOOK_S = 0.004
LONGEST_BACK_S = 0.02


class Turns:
    """One connection's place among the writers of ``path``; used by one thread at a time.

    The locks say whose turn it is and protect nothing: the database's own lock does. So a turn that
    does not come within ``timeout_s`` is not waited for any longer.
    """

    __slots__ = ("_door", "_entered_at", "_had_s", "_has_room", "_room", "_timeout_s")

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        """Open the locks, which are files beside ``path``; raises ``OSError`` where it can't."""
        self._door = _opened(path.with_name(f"{path.name}-door"))
        self._room = _opened(path.with_name(f"{path.name}-room"))
        self._timeout_s = timeout_s
        self._has_room = False
        self._entered_at = self._had_s = 0.0

    def enter(self) -> None:
        """Wait for the turn; does nothing while it lasts."""
        if self._has_room:
            return
        until = time.monotonic() + self._timeout_s
        pause_s = max(FIRST_LOOK_S, min(self._had_s, LONGEST_BACK_S))
        try:
            if _taken(self._door, until, pause_s):
                self._has_room = _taken(self._room, until, FIRST_LOOK_S)
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        self._entered_at = time.monotonic()

    def leave(self) -> None:
        """End the turn, if there is one."""
        if self._has_room:
            fcntl.flock(self._room, fcntl.LOCK_UN)
            self._has_room = False
            self._had_s = time.monotonic() - self._entered_at

    def close(self) -> None:
        """Give the locks back and close them."""
        os.close(self._door)
        os.close(self._room)
        self._has_room = False


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _taken(lock: int, until: float, pause_s: float) -> bool:
    """Look again and again, for a lock that is waited for in the kernel knows no end."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
        else:
            return True
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_LOOK_S)
