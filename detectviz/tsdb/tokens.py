"""Which series a sender's token is: what makes a steady stream of samples cheap to store."""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TypeAlias

import numpy as np

from detectviz.tsdb.interface import Int64Array, SampleColumns

UNKNOWN = -1

_LabelsOf: TypeAlias = Callable[[Hashable], Mapping[str, str]]
_PER_SERIES = 4  # spellings of a series that are worth remembering
_ALWAYS = 10_000
_SOURCES = 64  # tenants times kinds of tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """Series ids by place of the token, ``UNKNOWN`` for a new one; true while ``epoch`` lasts."""

    epoch: int
    ids: Int64Array


class TokenMemory:
    """Remembers tokens by tenant and ``labels_of``; bounded by the number of series."""

    def __init__(self) -> None:
        self._epoch = -1
        self._known: dict[tuple[str, _LabelsOf], dict[Hashable, int]] = {}
        self._lock = threading.Lock()

    def recall(self, tenant: str, columns: SampleColumns) -> Recalled:
        """Look all tokens up."""
        with self._lock:
            epoch = self._epoch
            known = self._known.get((tenant, columns.labels_of), {})
        size = len(columns.series)
        ids = np.fromiter(map(known.get, columns.series, repeat(UNKNOWN)), np.int64, size)
        return Recalled(epoch=epoch, ids=ids)

    def learn(
        self,
        tenant: str,
        columns: SampleColumns,
        *,
        found: Recalled,
        places: Sequence[int],
        series: int,
    ) -> None:
        """Remember what the tokens at ``places`` are; the tenant has ``series`` series."""
        with self._lock:
            if found.epoch != self._epoch:
                self._known, self._epoch = {}, found.epoch
            key = (tenant, columns.labels_of)
            if key not in self._known and len(self._known) >= _SOURCES:
                self._known.clear()
            known = self._known.get(key, {})
            if len(known) + len(places) > _PER_SERIES * series + _ALWAYS:
                known = {}
            # Another thread may be looking tokens up in it, which is fine; clearing it is not.
            self._known[key] = known
            for place in places:
                if found.ids[place] != UNKNOWN:
                    known[columns.series[place]] = int(found.ids[place])
