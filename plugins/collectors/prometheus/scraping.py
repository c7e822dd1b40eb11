"""One scrape of one target."""

import asyncio
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

import numpy as np

from detectviz.contracts.collector import CollectorContext, Scrape, ScrapeTarget
from detectviz.contracts.errors import NetworkError, PluginError
from detectviz.contracts.exposition.cache import SeriesCache
from detectviz.contracts.exposition.negotiation import (
    accept_header,
    parse_exposition,
    protocol_of,
)
from detectviz.contracts.exposition.result import (
    NO_TIMESTAMP,
    Exemplar,
    Exposition,
    ExpositionError,
    Int64Array,
)
from detectviz.contracts.http_options import HttpFetcher
from detectviz.contracts.network import HttpResponse
from plugins.collectors.prometheus.mapping import Mapped, ScrapeLimitError, SeriesMapping
from plugins.collectors.prometheus.options import ScrapeOptions
from plugins.collectors.prometheus.targets import Target

REPORTS: Final = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
EXTRA_REPORTS: Final = (
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
)
# A larger body is read in a thread: the loop times other checks.
_THREADED_BYTES: Final = 65_536
_OK: Final = 200


class ScrapeError(Exception):
    """Why a target could not be scraped."""


@dataclass(slots=True, kw_only=True)
class _Counts:
    """What is reported of a scrape beside its samples."""

    scraped: int = 0
    kept: int = 0
    added: int = 0
    body_bytes: int = -1


class TargetScraper:
    """Scrapes one target, and remembers its series between two scrapes."""

    def __init__(self, target: Target, options: ScrapeOptions, fetcher: HttpFetcher) -> None:
        self.target = target
        self._options = options
        self._fetcher = fetcher
        self._cache = SeriesCache()
        reports = (*REPORTS, *EXTRA_REPORTS) if options.has_extra_metrics else REPORTS
        self._mapping = SeriesMapping(options, target.labels, reports)
        self._last: tuple[bytes, ...] = ()

    async def scrape(self, context: CollectorContext, timeout_s: float) -> Scrape:
        """Return the samples of the target, those of a failed scrape saying that it failed."""
        started = context.monotonic()
        counts, error, warning = _Counts(), self.target.error, ""
        columns = _no_samples()
        try:
            if not error:
                columns, warning = await self._read(context, timeout_s, counts)
        except (ScrapeError, ScrapeLimitError, ExpositionError) as failure:
            error = str(failure)
        except PluginError as failure:
            error = failure.message
        except TimeoutError:
            error = f"timed out after {timeout_s:.3g} s"
        duration_s = context.monotonic() - started
        return self._result(columns, counts, duration_s, error=error, warning=warning)

    def failed(self, error: str) -> Scrape:
        """Return the scrape of a target that was not even asked."""
        return self._result(_no_samples(), _Counts(), 0.0, error=error, warning="")

    async def _read(
        self, context: CollectorContext, timeout_s: float, counts: _Counts
    ) -> tuple[Exposition, str]:
        async with asyncio.timeout(timeout_s):
            response = await self._fetch(context, timeout_s)
            counts.body_bytes = len(response.body)
            if len(response.body) > _THREADED_BYTES:
                parsed, mapped = await asyncio.to_thread(self._parse, response)
            else:
                parsed, mapped = self._parse(response)
        counts.scraped = len(parsed)
        columns = _selected(parsed, mapped, honor_timestamps=self._options.honor_timestamps)
        counts.kept = len(columns)
        limit = self._options.limits.samples
        if limit and counts.kept > limit:
            raise ScrapeLimitError(
                f"sample_limit exceeded: {counts.kept} samples after relabelling, {limit} allowed"
            )
        if columns.series is not self._last:
            counts.added = len(set(columns.series).difference(self._last))
            counts.added -= 0 if self._last else len(self._mapping.report_tokens)
            self._last = columns.series
        return columns, self._duplicates(columns, mapped)

    async def _fetch(self, context: CollectorContext, timeout_s: float) -> HttpResponse:
        options = self._options
        try:
            response = await self._fetcher.fetch(
                self.target.url,
                options.http,
                network=context.network,
                monotonic=context.monotonic,
                timeout_s=timeout_s,
                max_body_bytes=options.limits.body_bytes,
                headers=(
                    ("Accept", accept_header(options.protocols)),
                    ("Accept-Encoding", "gzip" if options.is_compressed else "identity"),
                    ("X-Prometheus-Scrape-Timeout-Seconds", f"{timeout_s:.3f}"),
                ),
            )
        except NetworkError as error:
            raise ScrapeError(f"{error.phase}: {error.message}") from error
        if response.status_code != _OK:
            raise ScrapeError(f"server returned HTTP status {_status(response.status_code)}")
        if response.body_truncated:
            raise ScrapeError(
                f"body_size_limit exceeded: more than {options.limits.body_bytes} bytes"
            )
        return response

    def _parse(self, response: HttpResponse) -> tuple[Exposition, Mapped]:
        content_type = response.header("Content-Type") or ""
        protocol = protocol_of(content_type, self._options.fallback)
        parsed = parse_exposition(
            response.body,
            protocol,
            self._cache,
            classic_histograms=self._options.classic_histograms,
        )
        if len(self._cache) > 2 * len(parsed.series) + 1_000:
            self._cache.clear()  # series come and go: those that went need no memory
        return parsed, self._mapping.apply(parsed)

    def _duplicates(self, columns: Exposition, mapped: Mapped) -> str:
        """Say which series is there twice; its first sample of a moment is the one that counts."""
        if len(columns) == len(columns.series) - len(self._mapping.report_tokens):
            return ""
        times = columns.timestamps_ms
        own = np.zeros(len(columns), dtype=np.int64) if times is None else times
        pairs = np.stack([columns.owners, own])
        count = len(columns) - np.unique(pairs, axis=1).shape[1]
        if not count:
            return ""
        counts = np.bincount(columns.owners)
        name = mapped.duplicate or columns.series[int(counts.argmax())].decode().strip()
        return f"{count} samples of series that are there twice were left out, such as {name}"

    def _result(
        self, columns: Exposition, counts: _Counts, duration_s: float, *, error: str, warning: str
    ) -> Scrape:
        reported = [0.0 if error else 1.0, duration_s, counts.scraped, counts.kept, counts.added]
        if self._options.has_extra_metrics:
            limits = self._options.limits
            reported += [self._options.timeout_s, limits.samples, counts.body_bytes]
        tokens = self._mapping.report_tokens
        untracked: frozenset[bytes] = frozenset()
        if error:
            columns = replace(_no_samples(), series=tokens)
        elif columns.timestamps_ms is not None and not self._options.track_timestamps_staleness:
            own = columns.owners[columns.timestamps_ms != NO_TIMESTAMP]
            untracked = frozenset(columns.series[place] for place in np.unique(own).tolist())
        return Scrape(
            target=ScrapeTarget(
                discovered_labels=self.target.discovered_labels,
                labels=self.target.labels,
                url=self.target.url,
                error=error or warning,
                duration_s=duration_s,
                is_up=not error,
            ),
            exposition=_with_reports(columns, len(columns.series) - len(tokens), reported),
            untracked=untracked,
        )


def _no_samples() -> Exposition:
    return Exposition(
        series=(), owners=np.zeros(0, dtype=np.int64), values=np.zeros(0, dtype=np.float64)
    )


def _selected(parsed: Exposition, mapped: Mapped, *, honor_timestamps: bool) -> Exposition:
    """Return the samples whose series are kept, owned by the stored series."""
    owners = mapped.places[parsed.owners]
    times = parsed.timestamps_ms if honor_timestamps else None
    if not mapped.has_dropped:
        return replace(parsed, series=mapped.series, owners=owners, timestamps_ms=times)
    kept = owners >= 0
    return replace(
        parsed,
        series=mapped.series,
        owners=owners[kept],
        values=parsed.values[kept],
        timestamps_ms=None if times is None else times[kept],
        start_times_ms=None if parsed.start_times_ms is None else parsed.start_times_ms[kept],
        histograms=None if parsed.histograms is None else parsed.histograms[kept],
        exemplars=_kept_exemplars(parsed, kept.cumsum() - 1, owners),
    )


def _kept_exemplars(
    parsed: Exposition, ranks: Int64Array, owners: Int64Array
) -> dict[int, tuple[Exemplar, ...]]:
    return {
        int(ranks[place]): found for place, found in parsed.exemplars.items() if owners[place] >= 0
    }


def _with_reports(columns: Exposition, first: int, values: list[float]) -> Exposition:
    """Append the report samples, whose series are the last of ``series`` from ``first``."""
    count = len(values)
    owners = np.arange(first, first + count, dtype=np.int64)
    no_times = np.full(count, NO_TIMESTAMP, dtype=np.int64)
    times, starts, histograms = columns.timestamps_ms, columns.start_times_ms, columns.histograms
    none = np.full(count, None, dtype=np.object_)
    return replace(
        columns,
        owners=np.concatenate([columns.owners, owners]),
        values=np.concatenate([columns.values, np.array(values, dtype=np.float64)]),
        timestamps_ms=None if times is None else np.concatenate([times, no_times]),
        start_times_ms=None
        if starts is None
        else np.concatenate([starts, np.zeros(count, dtype=np.int64)]),
        histograms=None if histograms is None else np.concatenate([histograms, none]),
    )


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)
