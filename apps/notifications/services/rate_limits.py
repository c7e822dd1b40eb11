"""How many messages a receiver takes in a time: ``30/1m``, as a token bucket."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from detectviz.contracts.durations import DurationError, parse_duration_s

MOST = 100_000
_ROUNDING_S = 0.001


class RateLimitError(ValueError):
    """A text is no rate limit; the message says how to write one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """``messages`` at once, refilled evenly over ``per_s``."""

    messages: int
    per_s: float

    def taken(self, free_at: datetime | None, now: datetime) -> tuple[datetime, float]:
        """Return when the bucket is full again once a message is taken, and how long to wait.

        With a wait above zero nothing was taken.
        """
        full_at = max(free_at or now, now)
        after = full_at + timedelta(seconds=self.per_s / self.messages)
        wait_s = (after - now).total_seconds() - self.per_s
        # Times are kept in microseconds: what rounding took away is no wait.
        return (full_at, wait_s) if wait_s > _ROUNDING_S else (after, 0.0)


def parse_rate_limit(text: str) -> RateLimit | None:
    """Read ``messages/time``; None for an empty text. Raise RateLimitError."""
    if not text.strip():
        return None
    count, slash, per = (part.strip() for part in text.partition("/"))
    hint = "Write messages/time, such as 30/1m."
    if not slash or not count.isascii() or not count.isdigit() or not 1 <= int(count[:9]) <= MOST:
        raise RateLimitError(hint)
    try:
        per_s = parse_duration_s(per)
    except DurationError as error:
        raise RateLimitError(f"{error} {hint}") from error
    if per_s <= 0:
        raise RateLimitError(hint)
    return RateLimit(messages=int(count), per_s=per_s)
