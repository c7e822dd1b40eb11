"""PromQL over an org's series."""

from datetime import datetime

from apps.series.selectors.store import series_store
from detectviz.clock import to_ms
from detectviz.promql.engine import Engine
from detectviz.promql.results import Result


def query_instant(*, tenant: str, promql: str, at: datetime) -> Result:
    """Evaluate PromQL over a tenant's series at one time; raise PromqlError or StoreError."""
    return Engine(series_store()).instant(tenant, promql, to_ms(at))


def query_range(*, tenant: str, promql: str, end: datetime, range_ms: int, step_ms: int) -> Result:
    """Evaluate PromQL at every step of a range that ends at ``end``."""
    end_ms = to_ms(end)
    return Engine(series_store()).range(tenant, promql, end_ms - range_ms, end_ms, step_ms)
