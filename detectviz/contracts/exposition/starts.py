"""Start times: what ``_created`` samples say of the other samples of their family."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from detectviz.contracts.exposition.cache import Group, Layout, SeriesCache
from detectviz.contracts.exposition.lines import LARGEST_MS
from detectviz.contracts.exposition.result import FamilyMetadata, Int64Array, MetricType

_COUNTING: Final = frozenset({MetricType.COUNTER, MetricType.HISTOGRAM, MetricType.SUMMARY})
_SUFFIXES: Final = ("_total", "_sum", "_count", "_bucket")


def start_times(cache: SeriesCache, layout: Layout) -> Int64Array | None:
    """Return since when each sample counts, Unix ms, 0 unsaid; None when none is said."""
    if not cache.created:
        return None
    metadata = layout.metadata
    owners, values = layout.owners[layout.mask], layout.values[layout.mask]
    said: dict[tuple[str, Group], int] = {}
    created = set()
    for place, owner in enumerate(owners.tolist()):
        family = cache.created.get(owner)
        if family is None or _type_of(metadata, family) not in _COUNTING:
            continue
        created.add(place)
        start_ms = values[place] * 1000
        if 0 < start_ms < LARGEST_MS:
            said[family, cache.group(owner)[1]] = round(float(start_ms))
    starts = np.zeros(len(owners), dtype=np.int64)
    for place, owner in enumerate(owners.tolist()):
        if place not in created and said:
            name, group = cache.group(owner)
            starts[place] = said.get((_family(name, metadata), group), 0)
    return starts if starts.any() else None


def _type_of(metadata: Mapping[str, FamilyMetadata], family: str) -> MetricType:
    found = metadata.get(family)
    return MetricType.UNKNOWN if found is None else found.type


def _family(name: str, metadata: Mapping[str, FamilyMetadata]) -> str:
    if name not in metadata:
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                return name.removesuffix(suffix)
    return name
