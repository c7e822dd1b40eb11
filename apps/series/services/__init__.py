"""Work on the process's series store, and what is known beside the samples."""

from apps.series.selectors import series_store, series_store_use
from apps.series.services.exemplars import NewExemplar, exemplars_prune, exemplars_record
from apps.series.services.metadata import metadata_record
from apps.series.services.refusals import refusals_note, refusals_prune
from apps.series.services.store import series_maintain

__all__ = [
    "NewExemplar",
    "exemplars_prune",
    "exemplars_record",
    "metadata_record",
    "refusals_note",
    "refusals_prune",
    "series_maintain",
    "series_store",
    "series_store_use",
]
