"""What a query may cost: samples, time, and the caller's patience."""

import threading
import time
from collections.abc import Callable

from detectviz.promql.errors import QueryCancelledError, QueryTimeoutError, TooManySamplesError


class CancellationToken:
    """Lets another thread stop a query at its next step; ``event`` is one that others set."""

    def __init__(self, event: threading.Event | None = None) -> None:
        self._event = event or threading.Event()

    def cancel(self) -> None:
        """Ask the query to stop."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the query should stop."""
        return self._event.is_set()


class Budget:
    """The remaining samples and seconds of one query."""

    def __init__(
        self,
        *,
        max_samples: int,
        timeout_s: float,
        token: CancellationToken | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_samples = max_samples
        self._samples_left = max_samples
        self._clock = clock
        self._deadline = clock() + timeout_s
        self._token = token

    def charge(self, samples: int) -> None:
        """Count samples about to be held; TooManySamplesError beyond the budget."""
        self._samples_left -= samples
        if self._samples_left < 0:
            raise TooManySamplesError

    @property
    def charged(self) -> int:
        """How many samples have been counted."""
        return self._max_samples - self._samples_left

    def check(self) -> None:
        """Raise QueryCancelledError or QueryTimeoutError when the query must stop."""
        if self._token is not None and self._token.is_cancelled:
            raise QueryCancelledError
        if self._clock() > self._deadline:
            raise QueryTimeoutError
