"""What a query may cost: samples, time, and the caller's patience."""

import threading
import time
from collections.abc import Callable

from detectviz.promql.errors import (
    QueryCancelledError,
    QueryTimeoutError,
    TooManyBytesError,
    TooManySamplesError,
    TooManySeriesError,
)

SAMPLE_BYTES = 16  # a time and a value


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
    """The remaining samples, series, bytes and seconds of one query; None is no limit."""

    def __init__(
        self,
        *,
        max_samples: int,
        timeout_s: float,
        max_series: int | None = None,
        max_bytes: int | None = None,
        token: CancellationToken | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_samples = max_samples
        self._samples_left = max_samples
        self._max_series = max_series
        self._max_bytes = max_bytes
        self._series = self._bytes = 0
        self._clock = clock
        self._deadline = clock() + timeout_s
        self._token = token

    def charge(self, samples: int) -> None:
        """Count samples about to be held; TooManySamplesError beyond the budget."""
        self._samples_left -= samples
        if self._samples_left < 0:
            raise TooManySamplesError

    def selection(self) -> Callable[[int, int], None]:
        """Return what is told the series and samples that one selection has come to so far.

        It raises what ``check`` raises, and TooManySeriesError, TooManyBytesError or
        TooManySamplesError as soon as the query's selections come to too much.
        """
        told = [0, 0]

        def watch(series: int, samples: int) -> None:
            self._series += max(series - told[0], 0)
            self._bytes += max(samples - told[1], 0) * SAMPLE_BYTES
            told[:] = max(series, told[0]), max(samples, told[1])
            if self._max_series is not None and self._series > self._max_series:
                raise TooManySeriesError(self._max_series)
            if self._max_bytes is not None and self._bytes > self._max_bytes:
                raise TooManyBytesError(self._max_bytes)
            if samples > self._samples_left:
                raise TooManySamplesError
            self.check()

        return watch

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
