"""VictoriaMetrics, single node, as a store of raw samples. Tried with 1.79.

Tenants share the server and are kept apart by the label ``detectviz_tenant``, which every write
adds, every read demands, and nobody may send. PromQL stays ours: only raw samples are fetched.

What the server does differently from the contract:

- It rejects nothing. Samples that conflict are both stored (one is returned), any order is taken,
  and times outside its retention vanish silently.
- Ordinary NaNs are not stored; stale markers and infinities are. Values are kept as decimals,
  exact to about 15 digits within a series.
- New samples become visible to readers after about a second, and are on disk after about that
  long: kill -9 of the server can lose the last ones.
- Native histograms are refused; start times of counters are dropped.
- Listings of series, names and values look at whole days.

Start it with ``-maxLabelsPerTimeseries=65`` (its default drops labels beyond 30) and a
``-retentionPeriod``; ``check`` refuses a server that would drop labels.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import numpy as np
import orjson

from detectviz.tsdb.backend_http import BackendClient
from detectviz.tsdb.cardinality import largest
from detectviz.tsdb.columns import append_report, columns_of
from detectviz.tsdb.index import Selection
from detectviz.tsdb.interface import (
    METRIC_NAME,
    STALE_NAN,
    AppendReport,
    Cardinality,
    ColumnsReport,
    Float64Array,
    Matcher,
    MatchOp,
    Sample,
    SampleColumns,
    SelectHints,
    SeriesSet,
    StoreError,
)
from detectviz.tsdb.labels import (
    MAX_LABELS,
    OUT_OF_BOUNDS,
    TENANT_LABEL,
    LabelKey,
    label_key,
    out_of_bounds,
)
from detectviz.tsdb.matching import compile_matcher
from detectviz.tsdb.policy import PolicyOf, default_policy
from detectviz.tsdb.remote_limits import RemoteLimits
from detectviz.tsdb.remote_write import HEADERS, write_request
from detectviz.tsdb.segments import Segment, assemble, series_set

SCHEMES = {"victoriametrics+http": "http", "victoriametrics+https": "https"}

NO_HISTOGRAMS = "VictoriaMetrics does not store native histograms; send classic buckets"

_LATEST_MS = 9_000_000_000_000  # beyond that the server overflows
_SAMPLES_PER_SERIES = 10_000
_BYTES_PER_SAMPLE = 20
_BYTES_PER_REQUEST = 4 << 20  # estimated from text; the server takes 32 MiB by default
_LONGEST_LIST = 1000
_DEFAULT_MAX_LABELS = 30
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_OK = 200


class VictoriaMetricsStore:
    """A ``SeriesStore`` on ``victoriametrics+http://[user:password@]host:port[/prefix]``.

    Safe for threads: every request has a connection to itself.
    """

    def __init__(
        self,
        url: str,
        *,
        policy: PolicyOf = default_policy,
        timeout_s: float = 30,
        max_answer_bytes: int = 512 << 20,
    ) -> None:
        self._limits = RemoteLimits(policy)
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            raise StoreError(f"{parts.scheme!r} is not one of {sorted(SCHEMES)}", retryable=False)
        self._client = BackendClient(
            parts._replace(scheme=SCHEMES[parts.scheme]),
            timeout_s=timeout_s,
            max_body_bytes=max_answer_bytes,
        )

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Send samples; what the server has answered for may be lost if it is killed at once.

        Raises:
            StoreError: some or all were not stored; sending all again does no harm.

        """
        return append_report(samples, self.append_columns(tenant, columns_of(samples)))

    def append_columns(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        """Send columns; native histograms are refused and start times left out.

        Raises:
            StoreError: some or all were not stored; sending all again does no harm.

        """
        admitted = self._limits.admit(tenant, columns)
        sent = self._send(tenant, admitted.columns)
        places = range(len(columns)) if admitted.places is None else admitted.places.tolist()
        refused = {places[at]: reason for at, reason in sent.items()} | admitted.refused
        stored = len(columns) - len(refused) - len(admitted.limited)
        return ColumnsReport(stored=stored, refused=refused, limited=admitted.limited)

    def _send(self, tenant: str, columns: SampleColumns) -> dict[int, str]:
        refused = dict.fromkeys(out_of_bounds(columns.timestamps_ms), OUT_OF_BOUNDS)
        if columns.histograms is not None:
            for place, histogram in enumerate(columns.histograms.tolist()):
                if histogram is not None:
                    refused[place] = NO_HISTOGRAMS
        keys = [label_key(columns.labels_of(token)) for token in columns.series]
        grouped: dict[LabelKey, list[tuple[int, float]]] = {}
        rows = zip(
            columns.owners.tolist(),
            columns.timestamps_ms.tolist(),
            columns.values.tolist(),
            strict=True,
        )
        for place, (owner, timestamp_ms, value) in enumerate(rows):
            if place not in refused:
                grouped.setdefault(keys[owner], []).append((timestamp_ms, value))
        for series in _requests(tenant, grouped):
            self._client.succeed(
                "POST", "/api/v1/write", body=write_request(series), headers=HEADERS
            )
        return refused

    def select(
        self,
        tenant: str,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        hints: SelectHints | None = None,
    ) -> SeriesSet:
        """Return raw samples with ``start_ms <= t <= end_ms`` of all matching series."""
        query = self._query(tenant, matchers, start_ms, end_ms)
        found: dict[LabelKey, list[tuple[list[int], Float64Array]]] = {}
        if query is not None:
            body = self._client.succeed("POST", "/api/v1/export", body=query, headers=_FORM)
            for line in body.splitlines():
                key, times, values = _exported(line)
                found.setdefault(key, []).append((times, values))
        keys = sorted(found)
        segments = [
            _segment(place, times, values)
            for place, key in enumerate(keys)
            for times, values in found[key]
        ]
        selection = Selection(ids=np.arange(len(keys)), labels=tuple(dict(key) for key in keys))
        return series_set(selection, assemble(len(keys), segments))

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return the label sets of matching series, ordered."""
        found = self._list("/api/v1/series", tenant, matchers, start_ms, end_ms)
        return tuple(dict(key) for key in sorted(_own_key(labels) for labels in found))

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted label names of matching series."""
        found = set(self._list("/api/v1/labels", tenant, matchers, start_ms, end_ms))
        names = tuple(sorted(found - {TENANT_LABEL}))
        # The server names __name__ even where nothing matches.
        if names == (METRIC_NAME,) and not self.series(tenant, matchers, start_ms, end_ms):
            return ()
        return names

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted values of one label over matching series."""
        if name == TENANT_LABEL:
            return ()
        path = f"/api/v1/label/{quote(name, safe='')}/values"
        return tuple(sorted(self._list(path, tenant, matchers, start_ms, end_ms)))

    def delete(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> int:
        """Delete whole series; return how many.

        Raises:
            StoreError: the range leaves out a time up to now. The server deletes whole series only.

        """
        now_ms = int(time.time() * 1000)
        if start_ms > 0 or end_ms < now_ms:
            raise StoreError(
                "VictoriaMetrics deletes whole series only: leave out start and end",
                retryable=False,
            )
        query = self._query(tenant, matchers, 0, now_ms)
        found = self.series(tenant, matchers, 0, now_ms)
        if query is not None and found:
            path = "/api/v1/admin/tsdb/delete_series"
            self._client.succeed("POST", path, body=query, headers=_FORM)
        return len(found)

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        """Return what the series of this day (UTC) are made of; the server knows no bytes.

        Of more than 1,000 label names the server counts the largest only.
        """
        selector = _selector([Matcher(TENANT_LABEL, MatchOp.EQUAL, tenant)])
        form = urlencode({"match[]": selector, "topN": _LONGEST_LIST}).encode()
        path = "/api/v1/status/tsdb"
        found = orjson.loads(self._client.succeed("POST", path, body=form, headers=_FORM))["data"]
        values = _entries(found["labelValueCountByLabelName"])
        return Cardinality(
            series=found["totalSeries"],
            label_pairs=sum(number for _, number in values),
            series_by_metric=largest(_entries(found["seriesCountByMetricName"]), limit),
            values_by_label=largest(values, limit),
            series_by_pair=largest(_entries(found["seriesCountByLabelValuePair"]), limit),
        )

    def check(self) -> None:
        """Raise StoreError unless the server takes writes, answers, and keeps all labels."""
        self._client.succeed("POST", "/api/v1/write", body=write_request(()), headers=HEADERS)
        self._client.succeed("GET", "/health")
        flags = self._client.call("GET", "/flags")
        if flags.status == _OK and _max_labels(flags.body) <= MAX_LABELS:
            raise StoreError(
                f"start VictoriaMetrics with -maxLabelsPerTimeseries={MAX_LABELS + 1}: with its"
                " present limit it drops labels and would mix series up",
                retryable=False,
            )

    def maintain(self, now_ms: int) -> None:
        """Do nothing: the server compacts and expires by itself."""

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()

    def _list(
        self, path: str, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> Any:
        query = self._query(tenant, matchers, start_ms, end_ms)
        if query is None:
            return []
        answer = orjson.loads(self._client.succeed("POST", path, body=query, headers=_FORM))
        return answer["data"]

    def _query(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> bytes | None:
        """Return the form to send, or None when nothing can match."""
        own = [matcher for matcher in matchers if matcher.name != TENANT_LABEL]
        foreign = [matcher for matcher in matchers if matcher.name == TENANT_LABEL]
        if end_ms < max(start_ms, 0):
            return None
        if not all(compile_matcher(matcher).matches("") for matcher in foreign):
            return None
        conditions = [Matcher(TENANT_LABEL, MatchOp.EQUAL, tenant), *own]
        form = {
            "match[]": _selector(conditions),
            "start": f"{max(start_ms, 0) / 1000:.3f}",
            "end": f"{min(end_ms, _LATEST_MS) / 1000:.3f}",
        }
        return urlencode(form).encode()


def _requests(
    tenant: str, grouped: dict[LabelKey, list[tuple[int, float]]]
) -> Iterator[list[tuple[LabelKey, list[tuple[int, float]]]]]:
    """Stamp series with their tenant and deal them out to requests of a size any server takes."""
    stamp = (TENANT_LABEL, tenant)
    request: list[tuple[LabelKey, list[tuple[int, float]]]] = []
    size = 0
    for key, pairs in grouped.items():
        stamped = tuple(sorted((*key, stamp)))
        for first in range(0, len(pairs), _SAMPLES_PER_SERIES):
            request.append((stamped, pairs[first : first + _SAMPLES_PER_SERIES]))
            size += sum(map(len, chain.from_iterable(stamped)))
            size += _BYTES_PER_SAMPLE * len(request[-1][1])
            if size >= _BYTES_PER_REQUEST:
                yield request
                request, size = [], 0
    if request:
        yield request


def _entries(listed: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    pairs = [(one["name"], one["value"]) for one in listed]
    return [pair for pair in pairs if pair[0].partition("=")[0] != TENANT_LABEL]


def _selector(matchers: Sequence[Matcher]) -> str:
    return "{" + ",".join(_condition(matcher) for matcher in matchers) + "}"


def _condition(matcher: Matcher) -> str:
    value = matcher.value
    if compile_matcher(matcher).literals is None:
        value = f"(?s:{value})"  # a dot matches a line break, as in Prometheus 3
    return f"{_identifier(matcher.name)}{matcher.op.value}{orjson.dumps(value).decode()}"


def _identifier(name: str) -> str:
    return "".join(
        char
        if char.isascii() and (char.isalpha() or char == "_" or (place and char.isdigit()))
        else "".join(f"\\x{byte:02x}" for byte in char.encode())
        for place, char in enumerate(name)
    )


def _exported(line: bytes) -> tuple[LabelKey, list[int], Float64Array]:
    # Quotes inside JSON strings are escaped, so these separators occur once.
    metric, _, rest = line.partition(b',"values":[')
    values, _, times = rest.partition(b'],"timestamps":')
    labels = orjson.loads(metric.removeprefix(b'{"metric":'))
    return _own_key(labels), orjson.loads(times.removesuffix(b"}")), _numbers(values)


def _numbers(text: bytes) -> Float64Array:
    if b"n" not in text:
        return np.array(orjson.loads(b"[" + text + b"]"), np.float64)
    # null is a stale marker: no other NaN is ever stored. Infinities are not JSON.
    parts = text.decode().replace('"', "").split(",")
    return np.array([STALE_NAN if part == "null" else float(part) for part in parts], np.float64)


def _segment(place: int, times: list[int], values: Float64Array) -> Segment:
    return Segment(
        owners=np.array([place]),
        counts=np.array([len(times)]),
        timestamps_ms=np.array(times, np.int64),
        values=values,
    )


def _own_key(labels: Mapping[str, str]) -> LabelKey:
    return tuple(sorted(pair for pair in labels.items() if pair[0] != TENANT_LABEL))


def _max_labels(flags: bytes) -> int:
    for line in flags.decode(errors="replace").splitlines():
        name, _, value = line.partition("=")
        if name == "-maxLabelsPerTimeseries":
            return int(value.strip('"'))
    return _DEFAULT_MAX_LABELS
