"""Dropping what is past a tenant's retention, and the series that have nothing left."""

import sqlite3

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.interface import Int64Array
from detectviz.tsdb.mirror import NEVER_MS
from detectviz.tsdb.policy import TenantPolicy
from detectviz.tsdb.rollups import COARSE_MS, FINE_MS


def rollup_retentions(policy: TenantPolicy) -> dict[int, float | None]:
    """Return how many seconds rollups are kept, by resolution; None means for good."""
    return {
        FINE_MS: policy.rollup_5m_retention_s,
        COARSE_MS: policy.rollup_1h_retention_s,
    }


def cutoff_ms(now_ms: int, retention_s: float | None) -> int:
    """Return the time before which things are dropped."""
    return NEVER_MS if retention_s is None else now_ms - int(retention_s * 1000)


def is_due(connection: sqlite3.Connection, tenant: str, policy: TenantPolicy, now_ms: int) -> bool:
    """Say whether ``expire`` would drop anything."""
    if connection.execute(
        "SELECT EXISTS (SELECT 1 FROM block WHERE tenant = ? AND max_ms < ?)",
        (tenant, cutoff_ms(now_ms, policy.retention_s)),
    ).fetchone()[0]:
        return True
    return any(
        connection.execute(
            "SELECT EXISTS (SELECT 1 FROM rollup"
            " WHERE tenant = ? AND resolution_ms = ? AND max_ms < ?)",
            (tenant, resolution_ms, cutoff_ms(now_ms, retention_s)),
        ).fetchone()[0]
        for resolution_ms, retention_s in rollup_retentions(policy).items()
    )


def expire(connection: sqlite3.Connection, tenant: str, policy: TenantPolicy, now_ms: int) -> None:
    """Drop blocks and rollups that are past their retention."""
    raw_cutoff_ms = cutoff_ms(now_ms, policy.retention_s)
    dropped = connection.execute(
        "DELETE FROM block WHERE tenant = ? AND max_ms < ?", (tenant, raw_cutoff_ms)
    ).rowcount
    if dropped:
        connection.execute(
            "INSERT INTO raw_from VALUES (?, ?) ON CONFLICT DO UPDATE"
            " SET from_ms = MAX(from_ms, excluded.from_ms)",
            (tenant, raw_cutoff_ms),
        )
    for resolution_ms, retention_s in rollup_retentions(policy).items():
        connection.execute(
            "DELETE FROM rollup WHERE tenant = ? AND resolution_ms = ? AND max_ms < ?",
            (tenant, resolution_ms, cutoff_ms(now_ms, retention_s)),
        )
        if retention_s == 0:
            connection.execute(
                "DELETE FROM rolled WHERE tenant = ? AND resolution_ms = ?", (tenant, resolution_ms)
            )


def quiet_since(tail_ms: Int64Array, policy: TenantPolicy, now_ms: int) -> npt.NDArray[np.bool_]:
    """Tell which series have no sample that is still kept, raw or rolled up."""
    retentions = [policy.retention_s, *rollup_retentions(policy).values()]
    oldest_ms = min(cutoff_ms(now_ms, one) for one in retentions)
    quiet: npt.NDArray[np.bool_] = (tail_ms < oldest_ms) & (tail_ms != NEVER_MS)
    return quiet
