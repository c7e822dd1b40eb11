"""Telling open pages which monitors to show anew."""

import time
from collections.abc import Callable

from apps.monitors.services.results import StoredResults
from detectviz.runtime import signals

QUIET_S = 10.0
MOST_NAMES = 50
_LARGEST_MEMORY = 50_000


class PageTeller:
    """Sends ``monitor`` events: every transition at once, plain results every 10 s a monitor.

    A page fetches a row for every event, so a monitor of one second must not mean a request a
    second. When many change together, one event without a name stands for all of an org.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told_at: dict[int, float] = {}

    def tell(self, stored: StoredResults) -> None:
        """Tell the pages of every org about one batch."""
        names: dict[int, set[str]] = {}
        for event in stored.transitions:
            names.setdefault(event.org_id, set()).add(event.name)
        changed = {event.monitor_id for event in stored.transitions}
        for plan in stored.plans:
            if plan.monitor_id in changed or self._is_loud(plan.monitor_id):
                names.setdefault(plan.org_id, set()).add(plan.name)
        for org_id, chosen in names.items():
            for name in sorted(chosen) if len(chosen) <= MOST_NAMES else [""]:
                data = {"name": name} if name else {}
                signals.send("web", {"org": org_id, "event": "monitor", "data": data})

    def _is_loud(self, monitor_id: int) -> bool:
        now = self._monotonic()
        if now - self._told_at.get(monitor_id, -QUIET_S) < QUIET_S:
            return False
        if len(self._told_at) >= _LARGEST_MEMORY:
            self._told_at.clear()
        self._told_at[monitor_id] = now
        return True
