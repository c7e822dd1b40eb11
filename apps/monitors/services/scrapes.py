"""Storing what scrapes brought: samples in columns, staleness, metadata, exemplars, targets.

A series that a target no longer has is marked stale at the time of the scrape that missed it. What
each target had is remembered by this process; of a target it has not seen yet, the store is asked
for the series with the target's labels, and ``ScrapeStatus`` for the targets there were: so a
restart, or another collector taking over, ends series and targets that went away meanwhile. Only
series whose target labels the exposition itself overrode (honor_labels) are not found that way.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from apps.monitors.models import ScrapeStatus
from apps.monitors.services.reports import CheckReport
from apps.monitors.services.samples import sample_time_ms
from apps.monitors.services.scrape_book import KnownTarget, ScrapeBook, is_scraping
from apps.series.services import refusals_note
from detectviz.clock import utc_now
from detectviz.contracts.collector import Scrape
from detectviz.contracts.exposition.result import NO_TIMESTAMP
from detectviz.contracts.exposition.series import labels_of, token_of
from detectviz.contracts.types import CheckState
from detectviz.tsdb.interface import (
    STALE_NAN,
    ColumnsReport,
    Matcher,
    MatchOp,
    RateLimitedError,
    SampleColumns,
    SeriesStore,
)

_LOOKBACK_MS: Final = 600_000
_ACROSS: Final = "collectors serve all orgs"


@dataclass(slots=True, kw_only=True)
class _Piece:
    """One target of one report on its way into the store."""

    report: int
    scrape: Scrape | None
    target: str
    series: Sequence[bytes]
    owners: Any
    times: Any
    values: Any
    histograms: Any = None
    starts: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredScrapes:
    """Reports with what the store refused in them, and how many samples were stored."""

    reports: tuple[CheckReport, ...]
    samples: int


def scrapes_store(
    *, reports: Sequence[CheckReport], store: SeriesStore, book: ScrapeBook
) -> StoredScrapes:
    """Store the scrapes of ``reports``; raise StoreError when they should come again.

    Samples that a limit of the org kept out make their report degraded, its message saying why.
    """
    scraping = [each for each in reports if is_scraping(each)]
    if not scraping:
        return StoredScrapes(reports=tuple(reports), samples=0)
    known = _known_before(scraping, store, book)
    pieces: dict[str, list[_Piece]] = defaultdict(list)
    for place, report in enumerate(reports):
        if is_scraping(report):
            monitor = report.plan.monitor_id
            pieces[report.plan.tenant] += _pieces_of(place, report, known[monitor])
            known[monitor] = _learnt(report)
    refusals: dict[int, dict[str, dict[str, int]]] = defaultdict(dict)
    stored = 0
    for tenant, parts in pieces.items():
        stored += _append(tenant, parts, store, refusals)
    for report in scraping:
        book.learn(report.plan.monitor_id, known[report.plan.monitor_id])
    adjusted = tuple(
        _with_refusals(report, refusals[place]) if place in refusals else report
        for place, report in enumerate(reports)
    )
    return StoredScrapes(reports=adjusted, samples=stored)


# --- what there was ---------------------------------------------------------------------------


def _known_before(
    reports: Sequence[CheckReport], store: SeriesStore, book: ScrapeBook
) -> dict[int, dict[bytes, KnownTarget]]:
    found = {
        report.plan.monitor_id: book.monitors[report.plan.monitor_id]
        for report in reports
        if report.plan.monitor_id in book.monitors
    }
    unseen = {each.plan.monitor_id: each for each in reports if each.plan.monitor_id not in found}
    rows = ScrapeStatus.objects.across_orgs(reason=_ACROSS).filter(monitor_id__in=unseen)
    for status in rows:
        report = unseen[status.monitor_id]
        labels = [each["labels"] for each in status.active if each.get("labels")]
        found[status.monitor_id] = {
            token_of(each): KnownTarget(series=_stored_series(report, each, store))
            for each in labels
        }
    return {monitor: found.get(monitor, {}) for monitor in (*found, *unseen)}


def _stored_series(
    report: CheckReport, labels: Mapping[str, str], store: SeriesStore
) -> tuple[bytes, ...]:
    return _series_of(report.plan.tenant, labels, store, report.started_at_ms)


def _series_of(
    tenant: str, labels: Mapping[str, str], store: SeriesStore, end_ms: int
) -> tuple[bytes, ...]:
    matchers = [Matcher(name, MatchOp.EQUAL, text) for name, text in labels.items()]
    found = store.series(tenant, matchers, end_ms - _LOOKBACK_MS, end_ms)
    return tuple(token_of(each) for each in found)


def scrapes_end(*, store: SeriesStore, tenant: str, targets: Iterable[Any], now_ms: int) -> int:
    """Mark stale what the given targets (their labels) wrote lately; return how many series."""
    count = 0
    for labels in targets:
        tokens = _series_of(tenant, labels, store, now_ms)
        for piece in _stale(0, tokens, now_ms):
            count += _append(tenant, [piece], store, {})
    return count


# --- columns ----------------------------------------------------------------------------------


def _pieces_of(
    place: int, report: CheckReport, known: Mapping[bytes, KnownTarget]
) -> Iterator[_Piece]:
    time_ms = sample_time_ms(slot_ms=report.slot_ms, started_at_ms=report.started_at_ms)
    present = set()
    for scrape in report.result.scrapes or ():
        key = token_of(scrape.target.labels)
        present.add(key)
        yield _piece_of(place, scrape, time_ms)
        before = known.get(key)
        if before is not None and before.series is not scrape.exposition.series:
            gone = set(before.series).difference(scrape.exposition.series, before.untracked)
            yield from _stale(place, sorted(gone), time_ms)
    for key in known.keys() - present:
        before = known[key]
        yield from _stale(place, sorted(set(before.series) - before.untracked), time_ms)


def _piece_of(place: int, scrape: Scrape, time_ms: int) -> _Piece:
    columns = scrape.exposition
    times = np.full(len(columns), time_ms, dtype=np.int64)
    if columns.timestamps_ms is not None:
        own = columns.timestamps_ms != NO_TIMESTAMP
        times[own] = columns.timestamps_ms[own]
    return _Piece(
        report=place,
        scrape=scrape,
        target=scrape.target.url,
        series=columns.series,
        owners=columns.owners,
        times=times,
        values=columns.values,
        histograms=columns.histograms,
        starts=columns.start_times_ms,
    )


def _stale(place: int, tokens: Sequence[bytes], time_ms: int) -> Iterator[_Piece]:
    if tokens:
        yield _Piece(
            report=place,
            scrape=None,
            target="",
            series=tokens,
            owners=np.arange(len(tokens), dtype=np.int64),
            times=np.full(len(tokens), time_ms, dtype=np.int64),
            values=np.full(len(tokens), STALE_NAN),
        )


def _append(
    tenant: str,
    pieces: Sequence[_Piece],
    store: SeriesStore,
    refusals: dict[int, dict[str, dict[str, int]]],
) -> int:
    lengths = [len(piece.owners) for piece in pieces]
    bases = np.cumsum([0, *(len(piece.series) for piece in pieces)])
    columns = SampleColumns(
        series=[token for piece in pieces for token in piece.series],
        labels_of=labels_of,
        owners=np.concatenate(
            [piece.owners + base for piece, base in zip(pieces, bases[:-1], strict=True)]
        ),
        timestamps_ms=np.concatenate([piece.times for piece in pieces]),
        values=np.concatenate([piece.values for piece in pieces]),
        histograms=_joined([piece.histograms for piece in pieces], lengths, None, np.object_),
        start_times_ms=_joined([piece.starts for piece in pieces], lengths, 0, np.int64),
    )
    try:
        report = store.append_columns(tenant, columns)
    except RateLimitedError as error:
        report = ColumnsReport(stored=0, limited=dict.fromkeys(range(len(columns)), str(error)))
    _note_refusals(tenant, report)
    ends = np.cumsum(lengths)
    for place, reason in report.limited.items():
        piece = pieces[int(np.searchsorted(ends, place, side="right"))]
        if piece.scrape is not None:
            counts = refusals[piece.report].setdefault(piece.target, {})
            counts[reason] = counts.get(reason, 0) + 1
    return report.stored


def _note_refusals(tenant: str, report: ColumnsReport) -> None:
    if report.limited:
        refusals_note(
            tenant=tenant,
            door="scrape",
            counts={"limit": len(report.limited)},
            example=next(iter(report.limited.values())),
            now=utc_now(),
        )


def _joined(columns: Sequence[Any], lengths: Sequence[int], empty: Any, dtype: Any) -> Any:
    if all(column is None for column in columns):
        return None
    return np.concatenate(
        [
            np.full(length, empty, dtype=dtype) if column is None else column
            for column, length in zip(columns, lengths, strict=True)
        ]
    )


def _learnt(report: CheckReport) -> dict[bytes, KnownTarget]:
    learnt = {}
    for scrape in report.result.scrapes or ():
        columns = scrape.exposition
        exemplars = {
            columns.series[int(columns.owners[place])]: found
            for place, found in columns.exemplars.items()
        }
        learnt[token_of(scrape.target.labels)] = KnownTarget(
            series=tuple(columns.series),
            untracked=scrape.untracked,
            metadata=columns.metadata,
            exemplars=exemplars,
        )
    return learnt


# --- what the operator reads ------------------------------------------------------------------


def _with_refusals(report: CheckReport, refused: Mapping[str, Mapping[str, int]]) -> CheckReport:
    result = report.result
    sentences = {
        target: "; ".join(f"{count} samples not stored: {why}" for why, count in counts.items())
        for target, counts in refused.items()
    }
    scrapes = tuple(
        replace(
            scrape,
            target=replace(
                scrape.target,
                error=". ".join(
                    filter(None, (scrape.target.error, sentences.get(scrape.target.url)))
                ),
            ),
        )
        for scrape in result.scrapes or ()
    )
    first = next(iter(sentences.values()))
    is_worse = result.state is CheckState.UP
    return replace(
        report,
        result=replace(
            result,
            state=CheckState.DEGRADED if is_worse else result.state,
            message=f"{first}. {result.message}",
            evidence={**result.evidence, "refused": sentences},
            scrapes=scrapes,
        ),
    )
