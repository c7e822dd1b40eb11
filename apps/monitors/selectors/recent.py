"""The ring of a monitor's last results, 9 bytes each, that the heartbeat bar is drawn from."""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.monitors.enums import STATE_CODES, STATES_BY_CODE
from detectviz.contracts.types import CheckState

RING_LENGTH = 40
_ENTRY = struct.Struct("<IBf")
_NO_DURATION = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentResult:
    """One bar: what a check found (after inversion and latency limits, before retries)."""

    at: datetime
    state: CheckState
    duration_s: float | None


def recent_push(ring: bytes, *, at: datetime, state: CheckState, duration_s: float | None) -> bytes:
    """Return ``ring`` with one result added at its end, the oldest dropped beyond 40."""
    seconds = _NO_DURATION if duration_s is None else duration_s
    entry = _ENTRY.pack(int(at.timestamp()), STATE_CODES[state], seconds)
    return bytes(ring[-_ENTRY.size * (RING_LENGTH - 1) :]) + entry


def recent_read(ring: bytes | memoryview) -> tuple[RecentResult, ...]:
    """Return the results of a ring, oldest first."""
    return tuple(
        RecentResult(
            at=datetime.fromtimestamp(seconds, tz=UTC),
            state=STATES_BY_CODE[code],
            duration_s=None if duration_s < 0 else duration_s,
        )
        for seconds, code, duration_s in _ENTRY.iter_unpack(bytes(ring))
    )
