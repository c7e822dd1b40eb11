"""When a rule group is due: slots an interval apart, spread over groups by their uid."""

import hashlib
from datetime import datetime

from detectviz.clock import from_ms, to_ms


def slot_offset_ms(uid: str, interval_ms: int) -> int:
    """Return where in its interval a group's slots lie, the same for ever (as in Prometheus)."""
    digest = hashlib.blake2b(uid.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % interval_ms


def slot_after(uid: str, interval_ms: int, now: datetime) -> datetime:
    """Return the group's first slot after ``now``."""
    offset_ms = slot_offset_ms(uid, interval_ms)
    number = (to_ms(now) - offset_ms) // interval_ms + 1
    return from_ms(number * interval_ms + offset_ms)


def slot_now(due_at: datetime, interval_ms: int, now: datetime) -> tuple[datetime, int]:
    """Return the latest slot not after ``now`` and how many since ``due_at`` are skipped."""
    late_ms = to_ms(now) - to_ms(due_at)
    missed = max(0, late_ms // interval_ms)
    return from_ms(to_ms(due_at) + missed * interval_ms), missed
