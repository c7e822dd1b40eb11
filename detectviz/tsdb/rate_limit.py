"""Samples per second as a token bucket."""

import sqlite3
from dataclasses import dataclass

from detectviz.tsdb.interface import RateLimitedError
from detectviz.tsdb.policy import TenantPolicy

_BURST_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """``level`` samples could come at once at ``at_s``; below 0 after a large request."""

    level: float
    at_s: float


def taken(bucket: Bucket | None, samples: int, policy: TenantPolicy, now_s: float) -> Bucket | None:
    """Return a tenant's bucket without these samples; None where there is no limit.

    A request larger than the bucket passes when the bucket is full, and the next ones wait the
    longer: so nothing is refused for good, and the mean rate holds.

    Raises:
        RateLimitedError: the bucket does not hold that many.

    """
    rate = policy.samples_per_s
    if rate is None:
        return None
    burst = policy.samples_burst if policy.samples_burst is not None else rate * _BURST_S
    level = burst
    if bucket is not None:
        level = min(burst, bucket.level + max(0.0, now_s - bucket.at_s) * rate)
    needed = min(float(samples), burst)
    if level < needed or not rate:
        wait_s = (needed - level) / rate if rate else _BURST_S
        raise RateLimitedError(
            f"the limit of {rate:g} samples per second is reached: send again in {wait_s:.1f} s",
            retry_after_s=wait_s,
        )
    return Bucket(level=level - samples, at_s=now_s)


def charge(
    connection: sqlite3.Connection, tenant: str, samples: int, policy: TenantPolicy, now_s: float
) -> None:
    """Take samples out of the bucket in the database: exact, whichever process is written to.

    Raises:
        RateLimitedError: the bucket does not hold that many.

    """
    if policy.samples_per_s is None:
        return
    found = connection.execute(
        "SELECT level, at_s FROM bucket WHERE tenant = ?", (tenant,)
    ).fetchone()
    bucket = Bucket(level=float(found[0]), at_s=float(found[1])) if found else None
    left = taken(bucket, samples, policy, now_s)
    if left is not None:
        connection.execute(
            "INSERT INTO bucket (tenant, level, at_s) VALUES (?, ?, ?) ON CONFLICT (tenant)"
            " DO UPDATE SET level = excluded.level, at_s = excluded.at_s",
            (tenant, left.level, left.at_s),
        )
