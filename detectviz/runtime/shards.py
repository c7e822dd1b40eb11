"""Shards: a number of equal parts of some work, shared out by leases among who is alive.

Holding a shard is a preference, no right: whoever does the work claims each piece of it as well.
"""

import hashlib
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from detectviz.runtime.leases import lease_acquire, lease_release
from detectviz.runtime.models import Lease

TTL_S = 8.0
RENEW_S = 2.0
FORGOTTEN_AFTER = timedelta(hours=1)
_TOKEN_BYTES = 8


@dataclass(slots=True, kw_only=True)
class Shards:
    """The part of ``count`` shards that ``owner`` holds; ``name`` is the same for all who share.

    Who shares says so by a lease of its own. Each holds at most its fair part, rounded up: what is
    beyond it is given back, what is free is taken.
    """

    name: str
    count: int
    owner: str
    held: frozenset[int] = frozenset()
    _renew_at: datetime | None = field(default=None)

    def tick(self, now: datetime) -> None:
        """Renew, give back and take, every two seconds; call as often as you like."""
        if self._renew_at is not None and now < self._renew_at:
            return
        self._renew_at = now + timedelta(seconds=RENEW_S)
        fair = math.ceil(self.count / max(self._living(now), 1))
        kept = [shard for shard in sorted(self.held) if self._take(shard, now)]
        for shard in kept[fair:]:
            lease_release(name=self._lease(shard), owner=self.owner)
        held = kept[:fair]
        if len(held) < fair:
            for shard in self._free(now):
                if len(held) < fair and self._take(shard, now):
                    held.append(shard)
        self.held = frozenset(held)

    def release(self) -> None:
        """Give everything back."""
        for shard in self.held:
            lease_release(name=self._lease(shard), owner=self.owner)
        lease_release(name=self._presence, owner=self.owner)
        self.held = frozenset()

    def _living(self, now: datetime) -> int:
        """Say that we are here, forget who is long gone, and count who is."""
        lease_acquire(name=self._presence, owner=self.owner, ttl_s=TTL_S, now=now)
        present = Lease.objects.filter(name__startswith=f"{self.name}/")
        present.filter(expires_at__lt=now - FORGOTTEN_AFTER).delete()
        return present.filter(expires_at__gte=now).count()

    @property
    def _presence(self) -> str:
        token = hashlib.blake2b(self.owner.encode(), digest_size=_TOKEN_BYTES).hexdigest()
        return f"{self.name}/{token}"

    def _free(self, now: datetime) -> list[int]:
        prefix = f"{self.name}:"
        taken = Lease.objects.filter(name__startswith=prefix, expires_at__gte=now)
        names = set(taken.values_list("name", flat=True))
        return [shard for shard in range(self.count) if self._lease(shard) not in names]

    def _take(self, shard: int, now: datetime) -> bool:
        name = self._lease(shard)
        return lease_acquire(name=name, owner=self.owner, ttl_s=TTL_S, now=now) is not None

    def _lease(self, shard: int) -> str:
        return f"{self.name}:{shard}"
