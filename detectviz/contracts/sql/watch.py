"""Ending a call that takes too long or that nobody waits for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from time import monotonic
from typing import Final

from detectviz.contracts.datasource import DatasourceContext
from detectviz.contracts.errors import DeadlineExceededError, PluginError

_POLL_S: Final = 0.05


class Watch:
    """Says when a call has to end: its time is over, or nobody waits for it."""

    def __init__(self, context: DatasourceContext) -> None:
        self._context = context
        self._ends_at = monotonic() + context.timeout_s

    @property
    def left_s(self) -> float:
        """Seconds that are left, at least a hundredth."""
        return max(self._ends_at - monotonic(), 0.01)

    def reason(self) -> PluginError | None:
        """Return why the call has to end, None while it may go on."""
        if monotonic() >= self._ends_at:
            return DeadlineExceededError(
                f"There was no answer within {self._context.timeout_s:g} s.", phase="receive"
            )
        if self._context.is_cancelled():
            return PluginError("The query was cancelled: nobody waits for its answer any more.")
        return None

    def check(self) -> None:
        """Raise once the call has to end."""
        reason = self.reason()
        if reason is not None:
            raise reason

    @contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Call ``cancel``, in a thread of its own, when the call has to end inside of the block.

        Whatever the block raises because of that comes out as the reason of the end.
        """
        done = Event()
        found: list[PluginError] = []

        def keep() -> None:
            while not done.wait(_POLL_S):
                reason = self.reason()
                if reason is not None:
                    found.append(reason)
                    with suppress(Exception):
                        cancel()
                    return

        thread = Thread(target=keep, name="datasource-watch", daemon=True)
        thread.start()
        try:
            yield
        except Exception as error:
            if found:
                raise found[0] from error
            raise
        finally:
            done.set()
            thread.join()
        if found:
            raise found[0]
