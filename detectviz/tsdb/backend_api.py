"""What all backends have in common: Prometheus' HTTP API for labels, series and queries."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from detectviz.tsdb.backend_http import BackendClient
from detectviz.tsdb.interface import METRIC_NAME, Matcher, MatchOp, StoreError
from detectviz.tsdb.labels import TENANT_LABEL, LabelKey
from detectviz.tsdb.matching import compile_matcher
from detectviz.tsdb.sending.backend import RemoteQuery

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_FUTURE_MS = 3 * 86_400_000  # VictoriaMetrics takes nothing later, and far ranges confuse it
_ANY_METRIC = Matcher(METRIC_NAME, MatchOp.NOT_EQUAL, "")


def stamp_of(tenant: str) -> LabelKey:
    """Return the label that keeps tenants of one server apart."""
    return ((TENANT_LABEL, tenant),)


def own_key(labels: Mapping[str, str]) -> LabelKey:
    """Return the labels as their owner knows them."""
    return tuple(sorted(pair for pair in labels.items() if pair[0] != TENANT_LABEL))


def own_matchers(
    tenant: str, matchers: Sequence[Matcher], *, is_labelled: bool
) -> list[Matcher] | None:
    """Return the conditions to ask with, the tenant's first; None when nothing can match.

    For its owner no series has the tenant's label.
    """
    own = [matcher for matcher in matchers if matcher.name != TENANT_LABEL]
    foreign = [matcher for matcher in matchers if matcher.name == TENANT_LABEL]
    if not all(compile_matcher(matcher).matches("") for matcher in foreign):
        return None
    return [Matcher(TENANT_LABEL, MatchOp.EQUAL, tenant), *own] if is_labelled else own


def pattern_of(matcher: Matcher) -> str:
    """Return a matcher's value; a dot of an expression shall match a line break, as in ours."""
    is_literal = compile_matcher(matcher).literals is not None
    return matcher.value if is_literal else f"(?s:{matcher.value})"


def selector(matchers: Sequence[Matcher], identifier: Callable[[str], str] = str) -> str:
    """Write matchers as a selector; ``identifier`` escapes names."""
    conditions = [
        f"{identifier(one.name)}{one.op.value}{orjson.dumps(pattern_of(one)).decode()}"
        for one in matchers
    ]
    return "{" + ",".join(conditions) + "}"


class ApiReader:
    """Label and query APIs below ``path`` of a server, for requests with ``headers_of(tenant)``."""

    def __init__(
        self,
        client: BackendClient,
        *,
        path_of: Callable[[str], str],
        headers_of: Callable[[str], Mapping[str, str]] = lambda _: {},
        is_labelled: bool = True,
        identifier: Callable[[str], str] = str,
    ) -> None:
        self.client = client
        self._path_of, self._headers_of = path_of, headers_of
        self._is_labelled, self._identifier = is_labelled, identifier

    def form(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> bytes | None:
        """Return the form that asks for these, or None when nothing can match."""
        own = own_matchers(tenant, matchers, is_labelled=self._is_labelled)
        if own is None or end_ms < max(start_ms, 0):
            return None
        latest_ms = int(time.time() * 1000) + _FUTURE_MS
        if all(compile_matcher(matcher).matches("") for matcher in own):
            own.append(_ANY_METRIC)
        return urlencode(
            {
                "match[]": selector(own, self._identifier),
                "start": f"{max(start_ms, 0) / 1000:.3f}",
                "end": f"{min(end_ms, latest_ms) / 1000:.3f}",
            }
        ).encode()

    def post(self, tenant: str, path: str, form: bytes) -> bytes:
        """Send a form and return the answer."""
        headers = {**FORM, **self._headers_of(tenant)}
        return self.client.succeed("POST", self._path_of(tenant) + path, body=form, headers=headers)

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return the label sets of matching series, ordered."""
        form = self.form(tenant, matchers, start_ms, end_ms)
        found = [] if form is None else _data(self.post(tenant, "/api/v1/series", form))
        return tuple(dict(key) for key in sorted(own_key(labels) for labels in found))

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted label names of matching series."""
        form = self.form(tenant, matchers, start_ms, end_ms)
        found = [] if form is None else _data(self.post(tenant, "/api/v1/labels", form))
        return tuple(sorted(set(found) - {TENANT_LABEL}))

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted values of one label over matching series."""
        form = self.form(tenant, matchers, start_ms, end_ms)
        if name == TENANT_LABEL or form is None:
            return ()
        path = f"{self._path_of(tenant)}/api/v1/label/{quote(name, safe='')}/values"
        # Prometheus answers this one to GET only.
        answer = self.client.succeed(
            "GET", f"{path}?{form.decode()}", headers=self._headers_of(tenant)
        )
        return tuple(sorted(_data(answer)))

    def query(self, tenant: str, query: RemoteQuery, **extra: str) -> bytes:
        """Let the server evaluate a query; return its answer as it is."""
        form = {"query": query.text, "timeout": f"{query.timeout_s * 1000:.0f}ms", **extra}
        if query.step_ms:
            form["start"] = f"{query.start_ms / 1000:.3f}"
            form["end"] = f"{query.end_ms / 1000:.3f}"
            form["step"] = f"{query.step_ms / 1000:.3f}"
            return self.post(tenant, "/api/v1/query_range", urlencode(form).encode())
        form["time"] = f"{query.start_ms / 1000:.3f}"
        return self.post(tenant, "/api/v1/query", urlencode(form).encode())


def _data(answer: bytes) -> Any:
    try:
        return orjson.loads(answer)["data"] or []
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise StoreError(
            f"the backend's answer is not understood: {error}", retryable=False
        ) from error
