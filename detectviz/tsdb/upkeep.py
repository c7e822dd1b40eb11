"""The work of ``maintain``: blocks, rollups and retention, tenant by tenant."""

import threading
from dataclasses import dataclass

import numpy as np

from detectviz.tsdb.compaction import Compactor
from detectviz.tsdb.database import Database
from detectviz.tsdb.mirror import Mirror
from detectviz.tsdb.policy import PolicyOf
from detectviz.tsdb.registration import delete_series
from detectviz.tsdb.retention import expire, is_due, quiet_since, rollup_retentions
from detectviz.tsdb.rollup_making import RollupMaker
from detectviz.tsdb.rollup_state import raw_from
from detectviz.tsdb.rollups import RESOLUTIONS_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What one process does for the file while it holds the compaction lock."""

    database: Database
    mirror: Mirror
    mirror_lock: threading.Lock
    append_lock: threading.Lock
    policy: PolicyOf
    flush_after_ms: int

    def run(self, now_ms: int) -> None:
        """Compact, then roll up and drop what is past retention, then move pages to the file."""
        Compactor(self.database, flush_after_ms=self.flush_after_ms).run(now_ms)
        for tenant in self._tenants():
            self._care_for(tenant, now_ms)
        self.database.give_back_pages()
        self.database.checkpoint()

    def renew_rollups(self, tenant: str) -> None:
        """Roll up again what was changed after it was rolled up."""
        for resolution_ms in RESOLUTIONS_MS:
            self._rollup_maker(tenant, resolution_ms).renew_late()

    def _tenants(self) -> list[str]:
        with self.database.reading() as connection:
            found = connection.execute("SELECT DISTINCT tenant FROM part").fetchall()
        return [tenant for (tenant,) in found]

    def _care_for(self, tenant: str, now_ms: int) -> None:
        """Roll up, then drop what is past retention."""
        policy = self.policy(tenant)
        behind_ms = int(policy.out_of_order_s * 1000) + self.flush_after_ms
        for resolution_ms, retention_s in rollup_retentions(policy).items():
            if retention_s is None or retention_s > 0:
                self._rollup_maker(tenant, resolution_ms).run(now_ms - behind_ms)
        with self.database.reading() as connection:
            if not is_due(connection, tenant, policy, now_ms):
                return
        with self.append_lock, self.database.writing() as connection:
            with self.mirror_lock:
                self.mirror.sync(connection)
                self.mirror.follow_tails(connection)
                ids = self.mirror.index(tenant).ids()
                quiet = ids[quiet_since(self.mirror.tail_ms[ids], policy, now_ms)]
                dead = np.setdiff1d(quiet, self.mirror.logged_ids()).tolist()
            expire(connection, tenant, policy, now_ms)
            delete_series(connection, dead)

    def _rollup_maker(self, tenant: str, resolution_ms: int) -> RollupMaker:
        with self.database.reading() as connection:
            from_ms = raw_from(connection, tenant)
        return RollupMaker(
            database=self.database,
            tenant=tenant,
            resolution_ms=resolution_ms,
            raw_from_ms=from_ms,
        )
