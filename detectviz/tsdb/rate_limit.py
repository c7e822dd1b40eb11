"""Samples per second as a token bucket in the database: exact, whichever process is written to."""

import sqlite3

from detectviz.tsdb.interface import RateLimitedError
from detectviz.tsdb.policy import TenantPolicy

_BURST_S = 10.0


def charge(
    connection: sqlite3.Connection, tenant: str, samples: int, policy: TenantPolicy, now_s: float
) -> None:
    """Take samples out of the tenant's bucket, inside the caller's write transaction.

    A request larger than the bucket passes when the bucket is full, and the next ones wait the
    longer: so nothing is refused for good, and the mean rate holds.

    Raises:
        RateLimitedError: the bucket does not hold that many.

    """
    rate = policy.samples_per_s
    if rate is None:
        return
    burst = policy.samples_burst if policy.samples_burst is not None else rate * _BURST_S
    level = _level(connection, tenant, rate, burst, now_s)
    needed = min(float(samples), burst)
    if level < needed:
        wait_s = (needed - level) / rate if rate else _BURST_S
        raise RateLimitedError(
            f"the limit of {rate:g} samples per second is reached: send again in {wait_s:.1f} s",
            retry_after_s=wait_s,
        )
    connection.execute(
        "INSERT INTO bucket (tenant, level, at_s) VALUES (?, ?, ?) ON CONFLICT (tenant)"
        " DO UPDATE SET level = excluded.level, at_s = excluded.at_s",
        (tenant, level - samples, now_s),
    )


def _level(
    connection: sqlite3.Connection, tenant: str, rate: float, burst: float, now_s: float
) -> float:
    found = connection.execute(
        "SELECT level, at_s FROM bucket WHERE tenant = ?", (tenant,)
    ).fetchone()
    if found is None:
        return burst
    level, at_s = float(found[0]), float(found[1])
    return min(burst, level + max(0.0, now_s - at_s) * rate)
