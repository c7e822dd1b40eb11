"""What senders say about their metrics: type, help and unit."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction

from apps.series.models import MetricMetadata
from apps.series.selectors.metadata import MetricDescription, metadata_known

MOST_METRICS = 20_000
CALMING = timedelta(minutes=10)
_MOST_ORGS = 256


class _Known:
    """What this process has seen written, per org and metric; saves the question to SQL."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_org: OrderedDict[str, dict[str, MetricDescription]] = OrderedDict()

    def news(
        self, org_uid: str, said: Mapping[str, MetricDescription]
    ) -> dict[str, MetricDescription]:
        """Return what of ``said`` this process has not seen."""
        with self._lock:
            known = self._by_org.get(org_uid, {})
            return {name: one for name, one in said.items() if known.get(name) != one}

    def learn(self, org_uid: str, said: Mapping[str, MetricDescription]) -> None:
        """Remember; the org learnt about longest ago goes when there are too many."""
        with self._lock:
            known = self._by_org.setdefault(org_uid, {})
            self._by_org.move_to_end(org_uid)
            if len(known) + len(said) > 2 * MOST_METRICS:
                known.clear()
            known.update(said)
            while len(self._by_org) > _MOST_ORGS:
                self._by_org.popitem(last=False)


_known = _Known()


def metadata_record(*, org: Any, said: Iterable[MetricDescription], now: datetime) -> int:
    """Keep what senders say about metrics; return how many rows were written.

    Cheap when nothing is new: a process remembers what it has seen. A metric about which two
    senders disagree changes at most every ten minutes. Beyond 20,000 metrics of an org, and of
    names no series can have, nothing is kept. ``org`` is the org's row.
    """
    by_metric = {one.metric: one.clipped() for one in said if one.is_storable}
    news = _known.news(org.uid, by_metric)
    if not news:
        return 0
    rows = _rows(org, news, now)
    if rows:
        MetricMetadata.objects.for_org(org).bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["org", "metric"],
            update_fields=["type", "help", "unit", "updated_at"],
            batch_size=500,
        )
    written = {row.metric: news[row.metric] for row in rows}
    unchanged = {name: one for name, one in news.items() if name not in written}
    transaction.on_commit(lambda: _known.learn(org.uid, written | _settled(unchanged, org)))
    return len(rows)


def _rows(
    org: models.Model, news: Mapping[str, MetricDescription], now: datetime
) -> list[MetricMetadata]:
    known = metadata_known(org, news)
    room = MOST_METRICS - MetricMetadata.objects.for_org(org).count()
    rows: list[MetricMetadata] = []
    for name, one in sorted(news.items()):
        found = known.get(name)
        if found is None and room <= 0:
            continue
        if found is not None and (found[0] == one or now - found[1] < CALMING):
            continue
        room -= found is None
        rows.append(
            MetricMetadata(
                org_id=org.pk,
                metric=name,
                type=one.type,
                help=one.help,
                unit=one.unit,
                updated_at=now,
            )
        )
    return rows


def _settled(
    unchanged: Mapping[str, MetricDescription], org: models.Model
) -> dict[str, MetricDescription]:
    """Return those that are stored just so: the others are asked about again."""
    known = metadata_known(org, unchanged) if unchanged else {}
    return {name: one for name, one in unchanged.items() if name in known and known[name][0] == one}
