"""Exemplars: kept for a while, so many per org."""

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from apps.series.models import Exemplar
from detectviz.clock import to_ms
from detectviz.promql.json import value_text
from detectviz.tsdb.interface import METRIC_NAME
from detectviz.tsdb.labels import MAX_NAME_BYTES, is_utf8, label_key

MOST_EXEMPLARS = 100_000  # Prometheus' own bound
MOST_PER_MINUTE = 6_000  # of one org by one process
LONGEST_LABELS = 128  # characters, as OpenMetrics says
_DAYS_KEPT = 15
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExemplar:
    """An exemplar as a sender gives it; ``series_labels`` include ``__name__``."""

    series_labels: Mapping[str, str]
    labels: Mapping[str, str]
    value: float
    timestamp_ms: int


class _Pace:
    """Counts an org's exemplars of the current minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._taken: dict[str, int] = {}

    def take(self, org_uid: str, wanted: int, now_ms: int) -> int:
        """Return how many of ``wanted`` may still be kept in this minute."""
        with self._lock:
            if now_ms // _MINUTE_MS != self._minute:
                self._minute, self._taken = now_ms // _MINUTE_MS, {}
            taken = self._taken.get(org_uid, 0)
            granted = max(0, min(wanted, MOST_PER_MINUTE - taken))
            self._taken[org_uid] = taken + granted
            return granted


_pace = _Pace()


def exemplars_record(*, org: Any, exemplars: Iterable[NewExemplar], now: datetime) -> int:
    """Keep exemplars; return how many were taken.

    One per series and millisecond. Left out are those whose labels are longer than OpenMetrics
    allows or are no text a database holds, and those above an org's share of a minute.
    """
    rows = [_row(org, one) for one in exemplars if _is_storable(one)]
    rows = rows[: _pace.take(org.uid, len(rows), to_ms(now))]
    Exemplar.objects.for_org(org).bulk_create(rows, ignore_conflicts=True, batch_size=100)
    return len(rows)


def exemplars_prune(*, now: datetime) -> int:
    """Delete what is too old, and of each org what is above its bound; return how many."""
    rows = Exemplar.objects.across_orgs(reason="maintenance looks after every org's exemplars")
    oldest_ms = to_ms(now) - _DAYS_KEPT * _DAY_MS
    pruned, _ = rows.filter(timestamp_ms__lt=oldest_ms).delete()
    for org_id in list(rows.order_by().values_list("org_id", flat=True).distinct()):
        own = Exemplar.objects.for_org(org_id)
        beyond = own.order_by("-timestamp_ms").values_list("timestamp_ms", flat=True)
        first = beyond[MOST_EXEMPLARS : MOST_EXEMPLARS + 1].first()
        if first is not None:
            pruned += own.filter(timestamp_ms__lte=first).delete()[0]
    return pruned


def _is_storable(exemplar: NewExemplar) -> bool:
    texts = [text for pair in exemplar.labels.items() for text in pair]
    metric = exemplar.series_labels.get(METRIC_NAME, "")
    if not metric or len(metric) > MAX_NAME_BYTES or sum(map(len, texts)) > LONGEST_LABELS:
        return False
    texts += [text for pair in exemplar.series_labels.items() for text in pair]
    return all("\0" not in text and is_utf8(text) for text in texts)


def _row(org: Any, exemplar: NewExemplar) -> Exemplar:
    key = label_key(exemplar.series_labels)
    return Exemplar(
        org_id=org.pk,
        metric=exemplar.series_labels[METRIC_NAME],
        key_digest=hashlib.blake2b(orjson.dumps(key), digest_size=16).hexdigest(),
        labels=dict(key),
        exemplar_labels=dict(exemplar.labels),
        value=value_text(exemplar.value),
        timestamp_ms=exemplar.timestamp_ms,
    )
