"""How much of the web process's time each tenant has left."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

SHARE = 0.2  # of a core, in the long run
BURST_S = 1.0
NEIGHBOUR_S = 60.0  # for so long a tenant that has asked counts as there
_MOST_TENANTS = 10_000


@dataclass(slots=True)
class _Account:
    """``credit_s`` seconds of CPU were left at ``at_s``."""

    credit_s: float
    at_s: float
    is_overdrawn: bool = False


class Shares:
    """CPU time by tenant: a bucket of ``BURST_S`` that fills by ``SHARE``. For one event loop.

    Who has used it up is a heavy tenant until it is full again, so that a flood is not let back
    in every few milliseconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accounts: dict[str, _Account] = {}
        self._latest: tuple[str, float] = ("", -math.inf)
        self._before: tuple[str, float] = ("", -math.inf)  # by another than the latest

    def note(self, tenant: str) -> None:
        """Remember that a tenant has asked."""
        if tenant != self._latest[0]:
            self._before = self._latest
        self._latest = (tenant, self._clock())

    def has_neighbour(self, tenant: str) -> bool:
        """Tell whether another tenant has asked in the last minute: one alone disturbs nobody."""
        _, at_s = self._before if tenant == self._latest[0] else self._latest
        return self._clock() - at_s < NEIGHBOUR_S

    def spend(self, tenant: str, seconds: float) -> None:
        """Take what a request has used."""
        account = self._filled(tenant) or self._opened(tenant)
        account.credit_s = max(account.credit_s - seconds, 0.0)
        account.is_overdrawn = account.is_overdrawn or account.credit_s <= 0

    def overdraw(self, tenant: str) -> None:
        """Take everything."""
        self.spend(tenant, BURST_S)

    def is_overdrawn(self, tenant: str) -> bool:
        """Tell whether the tenant is a heavy one."""
        account = self._filled(tenant)
        return account is not None and account.is_overdrawn

    def _filled(self, tenant: str) -> _Account | None:
        account = self._accounts.get(tenant)
        if account is None:
            return None
        now = self._clock()
        account.credit_s += (now - account.at_s) * SHARE
        account.at_s = now
        if account.credit_s >= BURST_S:
            del self._accounts[tenant]
            return None
        return account

    def _opened(self, tenant: str) -> _Account:
        if len(self._accounts) >= _MOST_TENANTS:
            for known in list(self._accounts):
                self._filled(known)
        account = self._accounts[tenant] = _Account(credit_s=BURST_S, at_s=self._clock())
        return account
