"""Storing what senders push: one way for every door."""

import collections
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import Counter

from apps.series.selectors import series_store
from apps.series.selectors.metadata import MetricDescription
from apps.series.services.exemplars import NewExemplar, exemplars_record
from apps.series.services.metadata import metadata_record
from apps.series.services.refusals import refusals_note
from detectviz.clock import to_ms
from detectviz.ingest.batch import MOST_EXAMPLES, Batch
from detectviz.tsdb.interface import METRIC_NAME, ColumnsReport, RateLimitedError, SampleColumns

samples_total = Counter(
    "detectviz_ingest_samples",
    "Samples that the ingest doors stored, by door and kind (float, histogram, exemplar).",
    ["door", "kind"],
)
refused_total = Counter(
    "detectviz_ingest_refused",
    "Samples that the ingest doors refused, by door and reason.",
    ["door", "reason"],
)

# How stores begin their reasons; what is in none of these is told as "invalid".
_REASONS = {
    "duplicate sample": "duplicate",
    "out of order": "out_of_order",
    "too old": "too_old",
    "out of bounds": "out_of_bounds",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What became of one body. ``examples`` tells the first refusals in words.

    ``warnings`` tells what was stored otherwise than the sender may have meant.
    """

    samples: int
    histograms: int
    exemplars: int
    refused: int
    limited: int
    examples: Sequence[str]
    warnings: Sequence[str] = ()

    @property
    def is_complete(self) -> bool:
        """Whether everything sent is stored."""
        return not self.refused and not self.limited

    def sentence(self) -> str:
        """Say how many samples were refused and why the first of them."""
        kept = self.samples + self.histograms
        lost = self.refused + self.limited
        return f"{lost} of {kept + lost} samples refused: " + "; ".join(self.examples)


def batch_store(*, org: Any, door: str, batch: Batch, now: datetime) -> IngestReport:
    """Store a body's samples, exemplars and metadata in an org.

    Samples are stored one by one, so to say: what is refused keeps nothing else out. Raise
    StoreError when nothing was stored, RateLimitedError when waiting would help.
    """
    columns = batch.columns
    report = ColumnsReport(stored=0)
    if len(columns):
        report = _appended(org.uid, door, columns, now)
    exemplars = _exemplars_store(org, batch, now)
    if batch.facts:
        said = [
            MetricDescription(metric=one.name, type=one.type, help=one.help, unit=one.unit)
            for one in batch.facts
        ]
        metadata_record(org=org, said=said, now=now)
    histograms = _histograms_stored(columns, report)
    examples = [*batch.refusals.examples, *_told(columns, report)]
    answer = IngestReport(
        samples=report.stored - histograms,
        histograms=histograms,
        exemplars=exemplars,
        refused=len(report.refused) + batch.refusals.count,
        limited=len(report.limited),
        examples=tuple(examples[:MOST_EXAMPLES]),
        warnings=batch.warnings,
    )
    counts = _count(door, answer, batch, report)
    refusals_note(tenant=org.uid, door=door, counts=counts, example=_first(examples), now=now)
    return answer


def _appended(tenant: str, door: str, columns: SampleColumns, now: datetime) -> ColumnsReport:
    try:
        return series_store().append_columns(tenant, columns)
    except RateLimitedError as error:
        counts = {"rate": len(columns)}
        refusals_note(tenant=tenant, door=door, counts=counts, example=str(error), now=now)
        raise


def _first(examples: Sequence[str]) -> str:
    return examples[0] if examples else ""


def _exemplars_store(org: Any, batch: Batch, now: datetime) -> int:
    if not batch.exemplars:
        return 0
    return exemplars_record(org=org, exemplars=_exemplars(batch, to_ms(now)), now=now)


def _exemplars(batch: Batch, now_ms: int) -> Iterator[NewExemplar]:
    for one in batch.exemplars:
        try:
            series = batch.columns.labels_of(one.series)
        except ValueError:  # the samples of the series were refused with a reason already
            continue
        yield NewExemplar(
            series_labels=series,
            labels=one.labels,
            value=one.value,
            timestamp_ms=one.timestamp_ms or now_ms,
        )


def _histograms_stored(columns: SampleColumns, report: ColumnsReport) -> int:
    if columns.histograms is None:
        return 0
    lost = sum(
        columns.histograms[place] is not None
        for reasons in (report.refused, report.limited)
        for place in reasons
    )
    return sum(histogram is not None for histogram in columns.histograms) - lost


def _told(columns: SampleColumns, report: ColumnsReport) -> Iterator[str]:
    """Yield the first refusals of the store, each naming its series and time."""
    reasons: Mapping[int, str] = {**report.refused, **report.limited}
    for place in sorted(reasons)[:MOST_EXAMPLES]:
        series = _series_text(columns, int(columns.owners[place]))
        yield f"{series} at {int(columns.timestamps_ms[place])} ms: {reasons[place]}"


def _series_text(columns: SampleColumns, owner: int) -> str:
    try:
        labels = dict(columns.labels_of(columns.series[owner]))
    except ValueError:
        return f"series {owner + 1} of the request"
    name = labels.pop(METRIC_NAME, "")
    inside = ", ".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{inside}}}"[:300]


def _count(
    door: str, answer: IngestReport, batch: Batch, report: ColumnsReport
) -> collections.Counter[str]:
    """Raise the metrics; return how many samples were refused by reason."""
    kinds = {
        "float": answer.samples,
        "histogram": answer.histograms,
        "exemplar": answer.exemplars,
    }
    for kind, count in kinds.items():
        if count:
            samples_total.labels(door, kind).inc(count)
    refused = collections.Counter(map(_reason_class, report.refused.values()))
    refused["invalid"] += batch.refusals.count
    refused["limit"] += len(report.limited)
    for reason, count in (+refused).items():
        refused_total.labels(door, reason).inc(count)
    return +refused


def _reason_class(reason: str) -> str:
    return next((word for begin, word in _REASONS.items() if reason.startswith(begin)), "invalid")
