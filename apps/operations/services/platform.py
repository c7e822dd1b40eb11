"""The org's own data for pipelines: contracts' Platform, with the rights of the owner."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from apps.alerting.enums import AlertState
from apps.alerting.selectors import alert_queryset
from apps.audit.selectors import audit_list
from apps.operations.models import Pipeline
from apps.series.selectors import series_store
from apps.series.services.ingest import batch_store
from detectviz.clock import to_ms
from detectviz.contracts.batches import Batch, WriteReport
from detectviz.contracts.config import get_int, get_text, get_texts
from detectviz.contracts.durations import parse_duration_s
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.record_documents import parse_time_ms
from detectviz.contracts.records import (
    AlertRecord,
    EventRecord,
    MetricRecord,
    Record,
    RecordError,
    ResourceRecord,
    Signal,
)
from detectviz.contracts.types import AlertStatus, JsonObject
from detectviz.ingest.batch import BatchBuilder
from detectviz.permissions.access import Access, access_of
from detectviz.promql import nodes
from detectviz.promql.errors import ParseError
from detectviz.promql.parser import parse
from detectviz.resources.errors import DomainError
from detectviz.resources.manifests import manifests_apply, manifests_export
from detectviz.tsdb.interface import Matcher, RateLimitedError, SeriesSet, StoreError
from detectviz.tsdb.labels import label_key

DOOR: Final = "pipeline"
_WINDOW_MS: Final = 3_600_000
_DEFAULT_RANGE: Final = "1h"
_SAMPLE_CHARACTERS: Final = 200
_FIRING: Final = (AlertState.FIRING, AlertState.RECOVERING)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgPlatform:
    """One org's data. ``granted`` says whether its plugin may read and write."""

    pipeline: Pipeline
    granted: frozenset[str]
    clock: Callable[[], datetime]

    def read(
        self, signal: Signal, selection: JsonObject, *, cursor: JsonObject, batch_size: int
    ) -> Iterator[Batch]:
        """Yield records from ``cursor`` on; raise QueryError for a selection it can't make.

        Selections: metrics ``selector`` with ``range`` or ``start`` and ``end``; alerts
        ``states``; events ``start``; resources ``kinds``.
        """
        self._require_granted("read")
        readers: dict[Signal, Callable[[JsonObject, JsonObject, int], Iterator[Batch]]] = {
            Signal.METRICS: self._metrics,
            Signal.ALERTS: self._alerts,
            Signal.EVENTS: self._events,
            Signal.RESOURCES: self._resources,
        }
        if signal not in readers:
            raise QueryError(f"An organisation has no {signal} to read.")
        return readers[signal](selection, cursor, batch_size)

    def write(self, records: Sequence[Record], *, batch_id: str) -> WriteReport:
        """Write samples into the series store, and resources as ``apply`` would, one by one.

        Both are the same when written again, so ``batch_id`` is not needed.
        """
        self._require_granted("write")
        samples = [each for each in records if isinstance(each, MetricRecord)]
        resources = [each for each in records if isinstance(each, ResourceRecord)]
        errors = [
            RecordError(place=type(each).__name__, message="An organisation can't store this.")
            for each in records
            if not isinstance(each, MetricRecord | ResourceRecord)
        ]
        if samples:
            errors += self._store(samples)
        errors += [error for each in resources for error in self._apply(each)]
        return WriteReport(written=len(records) - len(errors), errors=tuple(errors))

    def _require_granted(self, verb: str) -> None:
        if verb not in self.granted:
            raise PluginError(
                f"The plugin's manifest does not ask to {verb}: permissions.platform.",
                permanent=True,
            )

    def _access(self) -> Access | None:
        """Return what the owner may do now; None is the machine's operator."""
        if self.pipeline.is_operators:
            return None
        owner = self.pipeline.owner
        if owner is None or not owner.is_active:
            raise PluginError(
                "The owner of the pipeline is gone, and with it the right to the organisation's "
                "own data; save the pipeline to become its owner.",
                permanent=True,
            )
        return access_of(owner, self.pipeline.org, self.pipeline.owner_scopes)

    def _require(self, permission: str) -> None:
        access = self._access()
        if access is not None and not access.allows(permission):
            raise PluginError(
                f"{self.pipeline.owner} owns the pipeline and lacks {permission}.", permanent=True
            )

    # --- reading ---

    def _metrics(
        self, selection: JsonObject, cursor: JsonObject, batch_size: int
    ) -> Iterator[Batch]:
        self._require("series:read")
        matchers = _matchers(get_text(selection, "selector"))
        end_ms = get_int(cursor, "end_ms") or self._end_ms(selection)
        start_ms = get_int(cursor, "from_ms") or self._start_ms(selection, end_ms)
        skipped = get_int(cursor, "skip")
        while start_ms <= end_ms:
            until_ms = min(start_ms + _WINDOW_MS - 1, end_ms)
            try:
                found = series_store().select(self.pipeline.org.uid, matchers, start_ms, until_ms)
            except StoreError as error:
                raise PluginError(str(error)) from error
            count = len(found.values)
            for first in range(skipped, count, batch_size):
                last = min(first + batch_size, count)
                place = {"from_ms": start_ms, "skip": last, "end_ms": end_ms}
                yield _samples_batch(found, first, last, place)
            start_ms, skipped = until_ms + 1, 0
        yield Batch(records=(), cursor={"from_ms": end_ms + 1, "skip": 0, "end_ms": end_ms})

    def _end_ms(self, selection: JsonObject) -> int:
        return _time_ms(selection, "end") or to_ms(self.clock())

    def _start_ms(self, selection: JsonObject, end_ms: int) -> int:
        start_ms = _time_ms(selection, "start")
        if start_ms:
            return start_ms
        text = get_text(selection, "range") or _DEFAULT_RANGE
        try:
            return end_ms - int(parse_duration_s(text) * 1000)
        except ValueError as error:
            raise QueryError(str(error)) from error

    def _alerts(
        self, selection: JsonObject, cursor: JsonObject, batch_size: int
    ) -> Iterator[Batch]:
        access = self._access()
        rows = alert_queryset(self.pipeline.org)
        if access is not None:
            access.require_membership()
            rows = access.filter(rows, "alerts:read")
        states = get_texts(selection, "states") or (AlertState.FIRING.value,)
        rows = rows.filter(state__in=states).order_by("pk")
        after = get_int(cursor, "after")
        while found := list(rows.filter(pk__gt=after)[:batch_size]):
            after = found[-1].pk
            yield Batch(records=[_alert(each) for each in found], cursor={"after": after})

    def _events(
        self, selection: JsonObject, cursor: JsonObject, batch_size: int
    ) -> Iterator[Batch]:
        self._require("audit:read")
        rows = audit_list(self.pipeline.org).order_by("seq")
        start_ms = _time_ms(selection, "start")
        if start_ms:
            rows = rows.filter(at__gte=datetime.fromtimestamp(start_ms / 1000, UTC))
        after = get_int(cursor, "after")
        last = get_int(cursor, "last") or max(rows.values_list("seq", flat=True), default=0)
        while found := list(rows.filter(seq__gt=after, seq__lte=last)[:batch_size]):
            after = found[-1].seq
            yield Batch(
                records=[_event(each) for each in found], cursor={"after": after, "last": last}
            )

    def _resources(
        self, selection: JsonObject, cursor: JsonObject, batch_size: int
    ) -> Iterator[Batch]:
        documents = manifests_export(
            org=self.pipeline.org,
            access=self._access(),
            kinds=set(get_texts(selection, "kinds")),
        )
        for first in range(get_int(cursor, "done"), len(documents), batch_size):
            part = documents[first : first + batch_size]
            yield Batch(
                records=[ResourceRecord(document=each) for each in part],
                cursor={"done": first + len(part)},
                total=len(documents),
            )

    # --- writing ---

    def _store(self, samples: Sequence[MetricRecord]) -> list[RecordError]:
        self._require("series:create")
        builder = BatchBuilder()
        for each in samples:
            builder.add(label_key(each.labels), each.timestamp_ms, each.value)
        try:
            report = batch_store(
                org=self.pipeline.org, door=DOOR, batch=builder.build(), now=self.clock()
            )
        except RateLimitedError as error:
            raise PluginError(str(error)) from error
        except StoreError as error:
            raise PluginError(f"The series store does not answer: {error}") from error
        told = [*report.examples] or ["The store refused the sample."]
        return [
            RecordError(place="sample", message=told[min(at, len(told) - 1)])
            for at in range(report.refused + report.limited)
        ]

    def _apply(self, record: ResourceRecord) -> list[RecordError]:
        try:
            manifests_apply(
                org=self.pipeline.org,
                actor=self.pipeline.owner,
                access=self._access(),
                documents=[record.document],
            )
        except DomainError as error:
            return [RecordError(place=_name(record.document), message=error.message)]
        return []


def _matchers(selector: str) -> Sequence[Matcher]:
    try:
        expression = parse(selector)
    except ParseError as error:
        raise QueryError(f"{selector!r} is no series selector: {error}") from error
    if not isinstance(expression, nodes.VectorSelector):
        raise QueryError(f'{selector} is no series selector, such as up{{job="web"}}.')
    return expression.matchers


def _samples_batch(found: SeriesSet, first: int, last: int, cursor: JsonObject) -> Batch:
    owners = np.searchsorted(found.offsets, np.arange(first, last), side="right") - 1
    records: list[Record] = []
    errors: list[RecordError] = []
    times = found.timestamps_ms[first:last].tolist()
    values = found.values[first:last].tolist()
    for at, owner in enumerate(owners.tolist()):
        labels = found.labels[owner]
        if found.histograms is not None and found.histograms[first + at] is not None:
            message = "It is a native histogram, which records can't hold."
            place = f"{dict(labels)} at {times[at]} ms"[:_SAMPLE_CHARACTERS]
            errors.append(RecordError(place=place, message=message))
            continue
        records.append(MetricRecord(labels=dict(labels), timestamp_ms=times[at], value=values[at]))
    return Batch(records=records, cursor=cursor, errors=tuple(errors))


def _alert(row: Any) -> AlertRecord:
    return AlertRecord(
        status=AlertStatus.FIRING if row.state in _FIRING else AlertStatus.RESOLVED,
        labels=row.labels,
        annotations=row.annotations,
        starts_at=row.fired_at or row.active_at,
        ends_at=row.resolved_at,
        value=float(row.value),
    )


def _event(row: Any) -> EventRecord:
    return EventRecord(
        id=row.uid,
        type=row.action,
        source=f"/orgs/{row.org}",
        at=row.at,
        subject=f"{row.kind}/{row.name}" if row.kind else row.name,
        data={
            "actor": row.actor_name,
            "via": row.via,
            "is_success": row.is_success,
            "request_id": row.request_id,
            "before": row.before,
            "after": row.after,
        },
    )


def _time_ms(selection: JsonObject, name: str) -> int:
    text = get_text(selection, name)
    if not text:
        return 0
    try:
        return parse_time_ms(text)
    except ValueError as error:
        raise QueryError(f"{name} is {text!r}, no time as RFC 3339.") from error


def _name(document: JsonObject) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return f"{document.get('kind', 'document')}/{name}"[:_SAMPLE_CHARACTERS]
