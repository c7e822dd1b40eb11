"""Prometheus and what speaks like it (Mimir, Cortex, Thanos receive) as backends of raw samples.

``prometheus+http[s]://[user:password@]host:port[/prefix][?options]`` is one Prometheus (tried with
2.42) started with ``--web.enable-remote-write-receiver``; orgs are kept apart by the label
``detectviz_tenant``, as in ``victoriametrics``. It needs
``storage: {tsdb: {out_of_order_time_window: 1h}}`` in its configuration to take late samples (and
samples sent again after a crash) and ``--web.enable-admin-api`` to delete.

``mimir+http[s]://…`` names the org in a header with every request, and adds no label.

Both are read by remote read, answered with samples. Options beside those of the queue:

- ``histograms=yes``: native histograms are sent (Prometheus needs
  ``--enable-feature=native-histograms``; 2.42 stores them and never gives them back by remote
  read, so ``check`` refuses the two together).
- ``utf8_names=yes``: any label name is sent (Prometheus 3); otherwise names that older servers drop
  without a word are refused.
- ``write_path``, ``api_path``: below the prefix, where remote write and the API are. Prometheus
  ``/api/v1/write`` and nothing, Mimir ``/api/v1/push`` and ``/prometheus``; Cortex is the same;
  Thanos receive ``write_path=/api/v1/receive``.
- ``read=URL``: the server to read from, when it is not the one to write to. Thanos answers no
  remote read itself: this must be something that does.
- ``tenant_header``: Mimir's ``X-Scope-OrgID``; ``THANOS-TENANT`` for Thanos.

What they do differently from the contract: conflicting and too old samples are refused after the
append has returned, so they end in the dead letters; start times are not kept. Prometheus lists
deleted series until it compacts, does not delete samples that came out of order before that, and
hides what is written again where something was deleted.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from detectviz.tsdb.backend_api import ApiReader, own_key, own_matchers, pattern_of, stamp_of
from detectviz.tsdb.backend_http import BackendClient, BackendError
from detectviz.tsdb.backend_url import BackendUrl, backend_url
from detectviz.tsdb.cardinality import cardinality_of, label_counts
from detectviz.tsdb.interface import Cardinality, Matcher, MatchOp, SeriesSet, StoreError
from detectviz.tsdb.labels import TENANT_LABEL, LabelKey
from detectviz.tsdb.remote_read import HEADERS as READ_HEADERS
from detectviz.tsdb.remote_read import read_request, read_response, series_set_of
from detectviz.tsdb.remote_write import HEADERS, compressed
from detectviz.tsdb.sending.backend import RemoteQuery

PROMETHEUS_SCHEMES = frozenset({"prometheus+http", "prometheus+https"})
MIMIR_SCHEMES = frozenset({"mimir+http", "mimir+https"})

NO_HISTOGRAMS = (
    "native histograms are not sent to this backend; send classic buckets, or add histograms=yes"
    " to DETECTVIZ_TSDB_URL if it stores them"
)

_OPTIONS = {"histograms", "utf8_names", "write_path", "api_path", "read"}
_LEGACY_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")  # noqa: TID251 - our own constant
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")  # noqa: TID251 - our own constant
_VERSION = re.compile(r'"version":"(\d+)\.(\d+)')  # noqa: TID251 - our own constant
_KEEPS_HISTOGRAMS_TO_ITSELF = (2, 42)
# Prometheus says 500 to some samples that it will never take, 400 to the others.
_ABOUT_SAMPLES = ("too old sample", "out of order", "out of bounds", "duplicate sample")
_BAD_REQUEST, _SERVER_ERROR = 400, 500
_CHECKING_TENANT = "detectviz-check"
_FAR_MS = 9_000_000_000_000
_DAY_MS = 86_400_000


class PrometheusBackend:
    """A ``Backend`` over remote write, remote read and Prometheus' HTTP API. Safe for threads."""

    settles_after_s = 0.0  # visible, and in its write-ahead log, when it has answered
    keeps_nan = True

    def __init__(
        self,
        given: BackendUrl,
        *,
        kind: str,
        tenant_header: str = "",
        write_path: str,
        api_path: str,
        max_answer_bytes: int = 512 << 20,
    ) -> None:
        self.kind = kind
        self.limits = given.queue_limits()
        self._header = tenant_header
        self.histogram_refusal = None if given.flag("histograms") else NO_HISTOGRAMS
        self._takes_any_name = given.flag("utf8_names")
        self._write_path = given.path("write_path", write_path)
        self._api_path = given.path("api_path", api_path)
        timeout_s = given.seconds("timeout", 30.0)
        self._writer = BackendClient(
            given.server, timeout_s=timeout_s, max_body_bytes=max_answer_bytes
        )
        self._client = BackendClient(
            given.other_server("read"), timeout_s=timeout_s, max_body_bytes=max_answer_bytes
        )
        self._api = ApiReader(
            self._client,
            path_of=lambda _: self._api_path,
            headers_of=self._headers,
            is_labelled=not tenant_header,
        )

    @property
    def query_tenant_label(self) -> str | None:
        """The label that keeps tenants apart in queries; None when the header names the tenant."""
        return None if self._header else TENANT_LABEL

    @property
    def query_warning(self) -> str:
        """How answers of its own engine may differ from ours."""
        return (
            f"evaluated by {self.kind}, with the PromQL of its version: Prometheus before 3.0"
            " includes a sample on the left edge of a range"
        )

    def stamp(self, tenant: str) -> LabelKey:
        """Return the tenant's label; nothing where a header names it."""
        return () if self._header else stamp_of(tenant)

    def refusal(self, key: LabelKey) -> str | None:
        """Say why the server would drop these labels."""
        if not self._takes_any_name:
            for name, _ in key:
                if not _LEGACY_NAME.fullmatch(name):
                    return f"label name {name!r} needs a backend that takes UTF-8 names"
        return None

    def write(self, tenant: str, body: bytes) -> int:
        """Send a remote write request."""
        headers = {**HEADERS, **self._headers(tenant)}
        try:
            self._writer.succeed("POST", self._write_path, body=body, headers=headers)
        except BackendError as error:
            if error.status == _SERVER_ERROR and any(word in str(error) for word in _ABOUT_SAMPLES):
                raise BackendError(str(error), status=_BAD_REQUEST) from error
            raise
        return 0

    def select(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> SeriesSet:
        """Return raw samples with ``start_ms <= t <= end_ms`` of all matching series."""
        own = own_matchers(tenant, matchers, is_labelled=not self._header)
        start_ms, end_ms = max(start_ms, -_FAR_MS), min(end_ms, _FAR_MS)
        if own is None or end_ms < start_ms:
            return series_set_of(())
        asked = [Matcher(one.name, one.op, pattern_of(one)) for one in own]
        body = self._client.succeed(
            "POST",
            f"{self._api_path}/api/v1/read",
            body=read_request(asked, start_ms, end_ms),
            headers={**READ_HEADERS, **self._headers(tenant)},
        )
        found = read_response(body)
        return series_set_of([replace(one, key=own_key(dict(one.key))) for one in found])

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return the label sets of matching series, ordered."""
        return self._api.series(tenant, matchers, start_ms, end_ms)

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted label names of matching series."""
        return self._api.label_names(tenant, matchers, start_ms, end_ms)

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted values of one label over matching series."""
        return self._api.label_values(tenant, name, matchers, start_ms, end_ms)

    def delete(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Delete samples by Prometheus' admin API; return which series lost some.

        Raises:
            StoreError: the server has no such API, or it is not enabled.

        """
        if self._header:
            raise StoreError(
                f"samples can't be deleted in {self.kind} through its API by label: use its own"
                " tools",
                retryable=False,
            )
        start_ms, end_ms = max(start_ms, -_FAR_MS), min(end_ms, _FAR_MS)
        found = self.select(tenant, matchers, start_ms, end_ms)
        form = self._api.form(tenant, matchers, start_ms, end_ms)
        if form is not None and len(found):
            self._api.post(tenant, "/api/v1/admin/tsdb/delete_series", form)
        return found.labels

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        """Return what the series of the last day are made of, counted from their list.

        The server's own statistics know no tenants.
        """
        now_ms = _now_ms()
        found = self.series(tenant, (), now_ms - _DAY_MS, now_ms)
        return cardinality_of(label_counts(found), series=len(found), limit=limit)

    def query(self, tenant: str, query: RemoteQuery) -> bytes:
        """Let the server evaluate a query."""
        return self._api.query(tenant, query)

    def check(self) -> None:
        """Raise StoreError unless the server takes writes and answers remote read."""
        self.write(_CHECKING_TENANT, compressed(()))
        self.select(_CHECKING_TENANT, [Matcher("__name__", MatchOp.EQUAL, "up")], 0, 1)
        if self.histogram_refusal is None and self.kind == "prometheus":
            self._check_histograms()

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()
        self._writer.close()

    def _check_histograms(self) -> None:
        answer = self._client.call("GET", f"{self._api_path}/api/v1/status/buildinfo")
        found = _VERSION.search(answer.body.decode(errors="replace"))
        if found and (int(found[1]), int(found[2])) <= _KEEPS_HISTOGRAMS_TO_ITSELF:
            raise StoreError(
                f"Prometheus {found[1]}.{found[2]} does not give native histograms back by remote"
                " read: take histograms=yes out of DETECTVIZ_TSDB_URL, or a newer Prometheus",
                retryable=False,
            )

    def _headers(self, tenant: str) -> Mapping[str, str]:
        return {self._header: tenant} if self._header else {}


def prometheus_backend(url: str) -> PrometheusBackend:
    """Return the backend of a ``prometheus+http[s]://`` URL.

    Raises:
        StoreError: the URL is not understood.

    """
    given = backend_url(url, options=_OPTIONS)
    return PrometheusBackend(given, kind="prometheus", write_path="/api/v1/write", api_path="")


def mimir_backend(url: str) -> PrometheusBackend:
    """Return the backend of a ``mimir+http[s]://`` URL.

    Raises:
        StoreError: the URL is not understood.

    """
    given = backend_url(url, options=_OPTIONS | {"tenant_header"})
    header = given.text("tenant_header", "X-Scope-OrgID")
    if not _HEADER_NAME.fullmatch(header):
        raise StoreError(
            f"DETECTVIZ_TSDB_URL: tenant_header={header!r} is no name of a header", retryable=False
        )
    return PrometheusBackend(
        given,
        kind="mimir",
        tenant_header=header,
        write_path="/api/v1/push",
        api_path="/prometheus",
    )


def _now_ms() -> int:
    return int(time.time() * 1000)
