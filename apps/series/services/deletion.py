"""Deleting samples on somebody's word."""

from collections.abc import Sequence
from typing import Any

from apps.series.selectors import series_store
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.tsdb.interface import Matcher


def series_delete(
    *,
    org: Any,
    actor: Any,
    selectors: Sequence[Sequence[Matcher]],
    start_ms: int,
    end_ms: int,
) -> int:
    """Delete the samples of matching series in the range for good; return how many series.

    Audit learns who did it. Raise StoreError when the store can't.
    """
    store = series_store()
    touched = sum(store.delete(org.uid, matchers, start_ms, end_ms) for matchers in selectors)
    shown = [[f"{one.name}{one.op.value}{one.value}" for one in matchers] for matchers in selectors]
    publish(
        SecurityEventOccurred(
            action="series.delete",
            org_id=org.pk,
            actor_id=actor.pk,
            kind="Series",
            details={
                "selectors": shown,
                "start_ms": start_ms,
                "end_ms": end_ms,
                "series": touched,
            },
        )
    )
    return touched
