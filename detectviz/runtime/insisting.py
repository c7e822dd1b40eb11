"""Write down what has happened although the database fails for a moment."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connection

PAUSE_S = 0.2
# A deadlock, a connection that broke, a server that restarts: the same again may go through.
PASSING = (OperationalError, InterfaceError)
T = TypeVar("T")

logger = logging.getLogger(__name__)


def insist(work: Callable[[], T], *, within_s: float, pause_s: float = PAUSE_S) -> T:
    """Do ``work`` again until the database takes it, at most for ``within_s`` seconds.

    ``work`` is one transaction, of which only what it committed lasts: where the answer to a
    commit was lost, it runs once more. Within somebody else's transaction it has one try. Raises
    what the database raised last.
    """
    ends_at = time.monotonic() + within_s
    while True:
        try:
            return work()
        except PASSING as error:
            if connection.in_atomic_block or time.monotonic() + pause_s >= ends_at:
                raise
            logger.warning("the database failed, once more: %s", error)
        time.sleep(pause_s)
        close_old_connections()
