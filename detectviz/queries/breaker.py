"""Circuit breakers: a datasource that fails again and again is left alone for a while.

Closed, until ``failures`` calls in a row failed to reach it; open, until ``rest_s`` are over; then
half open: one call tries, and what comes of it closes or opens the circuit again.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum

from detectviz.queries.errors import CircuitOpenError

_MOST_CIRCUITS = 10_000
_LONGEST_REASON = 200


class CircuitState(StrEnum):
    """The three states."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until_s: float | None = None
    is_probing: bool = False
    reason: str = ""


class Breakers:
    """The circuits of many datasources, by any key. Safe for threads."""

    def __init__(
        self,
        *,
        failures: int = 5,
        rest_s: float = 30.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._rest_s = rest_s
        self._monotonic = monotonic
        self._circuits: dict[Hashable, _Circuit] = {}
        self._lock = threading.Lock()

    def enter(self, key: Hashable, name: str) -> None:
        """Pass, or raise CircuitOpenError saying why and until when."""
        with self._lock:
            circuit = self._circuits.get(key)
            if circuit is None or circuit.open_until_s is None:
                return
            wait_s = circuit.open_until_s - self._monotonic()
            if wait_s <= 0 and not circuit.is_probing:
                circuit.is_probing = True
                return
            reason, failures = circuit.reason, circuit.failures
        when = f"in {wait_s:.0f} s" if wait_s > 0 else "when the call under way has ended"
        raise CircuitOpenError(
            f"{name} is left alone after {failures} failures in a row; it is tried again {when}."
            f" The last failure: {reason}"
        )

    def succeed(self, key: Hashable) -> None:
        """Note that the datasource answered, be it with a refusal."""
        with self._lock:
            self._circuits.pop(key, None)

    def fail(self, key: Hashable, reason: str) -> None:
        """Note that it did not answer."""
        with self._lock:
            if key not in self._circuits and len(self._circuits) >= _MOST_CIRCUITS:
                self._circuits.pop(next(iter(self._circuits)))
            circuit = self._circuits.setdefault(key, _Circuit())
            circuit.failures += 1
            circuit.reason = reason[:_LONGEST_REASON]
            if circuit.is_probing or circuit.failures >= self._failures:
                circuit.open_until_s = self._monotonic() + self._rest_s
            circuit.is_probing = False

    def leave(self, key: Hashable) -> None:
        """Note that a call ended in a way that tells nothing, as when nobody waited."""
        with self._lock:
            circuit = self._circuits.get(key)
            if circuit is not None:
                circuit.is_probing = False

    def state(self, key: Hashable) -> CircuitState:
        """Return the state of one circuit."""
        with self._lock:
            circuit = self._circuits.get(key)
            if circuit is None or circuit.open_until_s is None:
                return CircuitState.CLOSED
            if circuit.is_probing or circuit.open_until_s <= self._monotonic():
                return CircuitState.HALF_OPEN
            return CircuitState.OPEN
