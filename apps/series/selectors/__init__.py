"""The series store, and questions to it."""

from apps.series.selectors.charts import ChartSeries, Tenant, chart_series
from apps.series.selectors.store import series_store, series_store_use

__all__ = ["ChartSeries", "Tenant", "chart_series", "series_store", "series_store_use"]
