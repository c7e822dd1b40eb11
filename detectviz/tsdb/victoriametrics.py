"""VictoriaMetrics, single node or cluster, as a backend of raw samples. Tried with 1.79.

Tenants share the server and are kept apart by the label ``detectviz_tenant``, which every write
adds, every read demands, and nobody may send. PromQL stays ours: only raw samples are fetched.

``victoriametrics+http://[user:password@]host:port[/prefix][?options]``; options beside those of
the queue (``backend_url``):

- ``cluster=ACCOUNT`` or ``ACCOUNT:PROJECT``: the URL is vminsert's, ``select=URL`` vmselect's, and
  all orgs live in that account. ``cluster=per-org`` gives every org an account and project of its
  own, 64 bits of a hash of its id; the label stays, so that isolation never rests on the hash.

What the server does differently from the contract:

- It rejects nothing. Samples that conflict are both stored (one is returned), any order is taken,
  and times outside its retention vanish silently.
- Ordinary NaNs are not stored; stale markers and infinities are. Values are kept as decimals,
  exact to about 15 digits within a series.
- New samples become visible to readers after about a second, and are on disk some seconds later.
  The queue keeps what it sent for that long, shows it to readers, and sends it again when the
  server restarted meanwhile (its connection broke).
- Listings of series, names and values look at whole days. Only whole series are deleted.
- Native histograms are refused.

Start it with ``-maxLabelsPerTimeseries=65`` (its default drops labels beyond 30) and a
``-retentionPeriod``; ``check`` refuses a server that would drop labels.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np
import orjson

from detectviz.tsdb.backend_api import FORM, ApiReader, own_key, selector, stamp_of
from detectviz.tsdb.backend_http import BackendClient
from detectviz.tsdb.backend_url import backend_url
from detectviz.tsdb.cardinality import largest
from detectviz.tsdb.index import Selection
from detectviz.tsdb.interface import (
    METRIC_NAME,
    STALE_NAN,
    Cardinality,
    Float64Array,
    Matcher,
    MatchOp,
    SeriesSet,
    StoreError,
)
from detectviz.tsdb.labels import MAX_LABELS, TENANT_LABEL, LabelKey
from detectviz.tsdb.remote_write import HEADERS, compressed
from detectviz.tsdb.segments import Segment, assemble, series_set
from detectviz.tsdb.sending.backend import RemoteQuery

SCHEMES = frozenset({"victoriametrics+http", "victoriametrics+https"})

NO_HISTOGRAMS = "VictoriaMetrics does not store native histograms; send classic buckets"
DIFFERENCES = (
    "evaluated by VictoriaMetrics, whose engine agrees with Prometheus on 77 % of the PromQL"
    " compliance tests: rate() and its kin, lookback, staleness and NaN differ"
)

_PER_ORG = "per-org"
_LARGEST_ACCOUNT = (1 << 32) - 1
_SETTLES_AFTER_S = 10.0
_LONGEST_LIST = 1000
_DEFAULT_MAX_LABELS = 30
_OK = 200


class VictoriaMetrics:
    """A ``Backend`` on a VictoriaMetrics server. Safe for threads.

    Raises:
        StoreError: the URL is not understood.

    """

    kind = "victoriametrics"
    settles_after_s = _SETTLES_AFTER_S
    keeps_nan = False
    histogram_refusal: str | None = NO_HISTOGRAMS
    query_tenant_label: str | None = TENANT_LABEL
    query_warning = DIFFERENCES

    def __init__(self, url: str, *, max_answer_bytes: int = 512 << 20) -> None:
        given = backend_url(url, options={"cluster", "select"})
        timeout_s = given.seconds("timeout", 30.0)
        self.limits = given.queue_limits()
        self._account = given.text("cluster", "")
        _check_account(self._account)
        if "select" in given.options and not self._account:
            raise StoreError(
                "DETECTVIZ_TSDB_URL: select=… belongs to a cluster: give cluster=0, too",
                retryable=False,
            )
        self._writer = BackendClient(
            given.server, timeout_s=timeout_s, max_body_bytes=max_answer_bytes
        )
        # Apart from the writer's, whose connections are counted.
        self._checker = BackendClient(
            given.server, timeout_s=timeout_s, max_body_bytes=max_answer_bytes
        )
        self._client = BackendClient(
            given.other_server("select"), timeout_s=timeout_s, max_body_bytes=max_answer_bytes
        )
        self._api = ApiReader(
            self._client,
            path_of=lambda tenant: self._path("select", tenant),
            identifier=_identifier,
        )

    def stamp(self, tenant: str) -> LabelKey:
        """Return the tenant's label."""
        return stamp_of(tenant)

    def refusal(self, key: LabelKey) -> str | None:
        """Take all labels that any store takes."""
        return None

    def write(self, tenant: str, body: bytes) -> int:
        """Send a remote write request; the number returned counts connections."""
        path = self._path("insert", tenant) + "/api/v1/write"
        self._writer.succeed("POST", path, body=body, headers=HEADERS)
        return self._writer.connections_made

    def select(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> SeriesSet:
        """Return raw samples with ``start_ms <= t <= end_ms`` of all matching series."""
        query = self._api.form(tenant, matchers, start_ms, end_ms)
        found: dict[LabelKey, list[tuple[list[int], Float64Array]]] = {}
        if query is not None:
            body = self._api.post(tenant, "/api/v1/export", query)
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
        return self._api.series(tenant, matchers, start_ms, end_ms)

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted label names of matching series."""
        names = self._api.label_names(tenant, matchers, start_ms, end_ms)
        # The server names __name__ even where nothing matches.
        if names == (METRIC_NAME,) and not self.series(tenant, matchers, start_ms, end_ms):
            return ()
        return names

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted values of one label over matching series."""
        return self._api.label_values(tenant, name, matchers, start_ms, end_ms)

    def delete(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Delete whole series; return which.

        Raises:
            StoreError: the range leaves out a time up to now. The server deletes whole series only.

        """
        now_ms = int(time.time() * 1000)
        if start_ms > 0 or end_ms < now_ms:
            raise StoreError(
                "VictoriaMetrics deletes whole series only: leave out start and end",
                retryable=False,
            )
        self._client.call("GET", "/internal/force_flush")  # what it took a moment ago as well
        query = self._api.form(tenant, matchers, 0, now_ms)
        found = self.series(tenant, matchers, 0, now_ms)
        if query is not None and found:
            self._api.client.succeed(
                "POST",
                self._delete_path(tenant),
                body=query,
                headers=FORM,
            )
        return found

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        """Return what the series of this day (UTC) are made of; the server knows no bytes.

        Of more than 1,000 label names the server counts the largest only.
        """
        own = selector([Matcher(TENANT_LABEL, MatchOp.EQUAL, tenant)])
        form = urlencode({"match[]": own, "topN": _LONGEST_LIST}).encode()
        found = orjson.loads(self._api.post(tenant, "/api/v1/status/tsdb", form))["data"]
        values = _entries(found["labelValueCountByLabelName"])
        return Cardinality(
            series=found["totalSeries"],
            label_pairs=sum(number for _, number in values),
            series_by_metric=largest(_entries(found["seriesCountByMetricName"]), limit),
            values_by_label=largest(values, limit),
            series_by_pair=largest(_entries(found["seriesCountByLabelValuePair"]), limit),
        )

    def query(self, tenant: str, query: RemoteQuery) -> bytes:
        """Let the server evaluate a query; it enforces the tenant's label a second time."""
        return self._api.query(tenant, query, extra_label=f"{TENANT_LABEL}={tenant}")

    def check(self) -> None:
        """Raise StoreError unless the server takes writes, answers, and keeps all labels."""
        path = self._path("insert", "") + "/api/v1/write"
        self._checker.succeed("POST", path, body=compressed(()), headers=HEADERS)
        self._client.succeed("GET", "/health")
        flags = self._checker.call("GET", "/flags")
        if flags.status == _OK and _max_labels(flags.body) <= MAX_LABELS:
            raise StoreError(
                f"start VictoriaMetrics with -maxLabelsPerTimeseries={MAX_LABELS + 1}: with its"
                " present limit it drops labels and would mix series up",
                retryable=False,
            )

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()
        self._writer.close()
        self._checker.close()

    def _path(self, part: str, tenant: str) -> str:
        return f"/{part}/{self._account_of(tenant)}/prometheus" if self._account else ""

    def _delete_path(self, tenant: str) -> str:
        # In a cluster vmselect has deletion below /delete, not below /select.
        return self._path("delete", tenant) + "/api/v1/admin/tsdb/delete_series"

    def _account_of(self, tenant: str) -> str:
        if self._account != _PER_ORG:
            return self._account
        digest = hashlib.blake2b(tenant.encode(), digest_size=8).digest()
        return f"{int.from_bytes(digest[:4])}:{int.from_bytes(digest[4:])}"


def _check_account(text: str) -> None:
    if text in {"", _PER_ORG}:
        return
    account, _, project = text.partition(":")
    numbers = [account, project] if project else [account]
    if not all(one.isdecimal() and int(one) <= _LARGEST_ACCOUNT for one in numbers):
        raise StoreError(
            f"DETECTVIZ_TSDB_URL: cluster={text!r} is no account such as 0 or 42:7, nor per-org",
            retryable=False,
        )


def _entries(listed: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    pairs = [(one["name"], one["value"]) for one in listed]
    return [pair for pair in pairs if pair[0].partition("=")[0] != TENANT_LABEL]


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
    return own_key(labels), orjson.loads(times.removesuffix(b"}")), _numbers(values)


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


def _max_labels(flags: bytes) -> int:
    for line in flags.decode(errors="replace").splitlines():
        name, _, value = line.partition("=")
        if name == "-maxLabelsPerTimeseries":
            return int(value.strip('"'))
    return _DEFAULT_MAX_LABELS
