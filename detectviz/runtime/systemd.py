"""Tell systemd how we are: readiness, stopping, status and the watchdog (sd_notify(3))."""

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.conf import settings

_MICROSECONDS = 1_000_000


@dataclass(slots=True)
class Notifier:
    """Datagrams to ``address`` (``NOTIFY_SOCKET``; ``@`` begins an abstract one), else nothing.

    ``watchdog_s`` is how often systemd wants to hear of us, 0 when it does not.
    """

    address: str = ""
    watchdog_s: float = 0.0
    _next_beat_at: float = field(default=0.0)
    _untold: Sequence[str] = field(default=())

    def ready(self, status: str) -> None:
        """Say that the service works; a start that nobody hears of counts as failed."""
        self._untold = ("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")
        self._say_untold()

    def status(self, status: str) -> None:
        """Say in one line how things are."""
        self._send(f"STATUS={status}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._untold = ()
        self._send("STOPPING=1", "STATUS=stopping")

    def beat(self) -> None:
        """Keep the watchdog quiet, at twice the rate it asks for; call as often as you like.

        Says again what nobody had room for.
        """
        self._say_untold()
        if self.watchdog_s and time.monotonic() >= self._next_beat_at:
            self._next_beat_at = time.monotonic() + self.watchdog_s / 2
            self._send("WATCHDOG=1")

    def _say_untold(self) -> None:
        if self._untold and self._send(*self._untold):
            self._untold = ()

    def _send(self, *lines: str) -> bool:
        """Return whether it needs not be said again."""
        if not self.address:
            return True
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto("\n".join(lines).encode(), address)
            except OSError:
                return False  # whoever asked to be told is gone, or too slow: work goes on
        return True


def service_notifier() -> Notifier:
    """Return the notifier systemd asked for by its variables; the watchdog is for its process."""
    is_ours = settings.WATCHDOG_PID in {0, os.getpid()}
    watchdog_s = settings.WATCHDOG_USEC / _MICROSECONDS if is_ours else 0.0
    return Notifier(settings.NOTIFY_SOCKET, watchdog_s)
