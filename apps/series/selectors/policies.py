"""What each org may store: its quota over the platform's defaults."""

import logging
import threading
import time
from dataclasses import replace

from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError

from apps.orgs.selectors import quota_limits
from detectviz.tsdb.policy import DAY_S, TenantPolicy

KEPT_S = 10.0  # a changed quota holds in every process after so long

logger = logging.getLogger(__name__)


class Policies:
    """Policies by tenant, read from SQL at most every ``KEPT_S`` seconds. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._known: dict[str, TenantPolicy] = {}

    def __call__(self, tenant: str) -> TenantPolicy:
        """Return a tenant's policy; while SQL does not answer, what was known stays."""
        now = time.monotonic()
        with self._lock:
            is_due = self._read_at is None or now - self._read_at >= KEPT_S
            if is_due:
                self._read_at = now
        if is_due:
            self._read()
        return self._known.get(tenant) or platform_policy()

    def forget(self) -> None:
        """Read anew when next asked."""
        self._read_at = None

    def _read(self) -> None:
        try:
            limits = quota_limits()
        except (DatabaseError, SynchronousOnlyOperation):
            logger.warning("quotas can't be read now; the known ones stay", exc_info=True)
            return
        default = platform_policy()
        self._known = {tenant: replace(default, **one) for tenant, one in limits.items()}


def platform_policy() -> TenantPolicy:
    """Return what holds for an org without a quota."""
    return TenantPolicy(
        max_series=settings.SERIES_MAX or None,
        samples_per_s=settings.SERIES_SAMPLES_PER_S or None,
        out_of_order_s=settings.SERIES_OUT_OF_ORDER_S,
        retention_s=settings.SERIES_RETENTION_DAYS * DAY_S or None,
        rollup_5m_retention_s=settings.SERIES_ROLLUP_5M_DAYS * DAY_S,
        rollup_1h_retention_s=settings.SERIES_ROLLUP_1H_DAYS * DAY_S,
    )


tenant_policy = Policies()
