"""A tenant's limits in front of a store on another server.

What differs from the embedded store, which counts in its file: every process counts for itself
(divide the limits by the number of processes that write), ``max_series`` counts series that had
samples through this process in the last two to four hours, and what the server decides itself
(late samples, retention) is the server's configuration, not the policy's.
"""

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from detectviz.tsdb.columns import used
from detectviz.tsdb.interface import Int64Array, SampleColumns
from detectviz.tsdb.labels import label_key, label_refusal
from detectviz.tsdb.policy import PolicyOf, TenantPolicy
from detectviz.tsdb.rate_limit import Bucket, taken

_GENERATION_S = 7200.0

_LabelsOf: TypeAlias = Callable[[Hashable], Mapping[str, str]]
_Token: TypeAlias = tuple[_LabelsOf, Hashable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Columns to send: ``places`` are their samples' places in what came, None when all are in.

    ``refused`` and ``limited`` give reasons by place for the others.
    """

    columns: SampleColumns
    places: Int64Array | None
    refused: dict[int, str]
    limited: dict[int, str]


@dataclass(slots=True)
class _Tenant:
    """What one tenant sent lately: hashes of label sets by token, now and in the time before."""

    since_s: float
    bucket: Bucket | None = None
    current: dict[_Token, int] = field(default_factory=dict)
    previous: dict[_Token, int] = field(default_factory=dict)
    series: set[int] = field(default_factory=set)


class RemoteLimits:
    """Labels, series and rate of this process, by tenant. Safe for threads."""

    def __init__(self, policy: PolicyOf, *, clock: Callable[[], float] = time.time) -> None:
        self._policy = policy
        self._clock = clock
        self._tenants: dict[str, _Tenant] = {}
        self._lock = threading.Lock()

    def admit(self, tenant: str, columns: SampleColumns) -> Admitted:
        """Say what of the columns may be sent.

        Raises:
            RateLimitedError: nothing may: the tenant sends too many samples per second.

        """
        policy = self._policy(tenant)
        with self._lock:
            now_s = self._clock()
            state = self._tenants.setdefault(tenant, _Tenant(since_s=now_s))
            state.bucket = taken(state.bucket, len(columns), policy, now_s)
            _age(state, now_s)
            refused, limited = _strangers(state, columns, policy)
        if not refused and not limited:
            return Admitted(columns=columns, places=None, refused={}, limited={})
        return _without(columns, refused, limited)


def _age(state: _Tenant, now_s: float) -> None:
    if now_s - state.since_s < _GENERATION_S:
        return
    state.since_s, state.previous, state.current = now_s, state.current, {}
    state.series = set(state.previous.values())


def _strangers(
    state: _Tenant, columns: SampleColumns, policy: TenantPolicy
) -> tuple[dict[int, str], dict[int, str]]:
    refused: dict[int, str] = {}
    limited: dict[int, str] = {}
    for place, name in enumerate(columns.series):
        token = (columns.labels_of, name)
        if token in state.current:
            continue
        series = state.previous.get(token)
        if series is None:
            try:
                key = label_key(columns.labels_of(name))
            except ValueError as error:
                refused[place] = str(error)
                continue
            reason = label_refusal(key, policy)
            if reason:
                refused[place] = reason
                continue
            series = hash(key)
        is_full = policy.max_series is not None and len(state.series) >= policy.max_series
        if is_full and series not in state.series:
            limited[place] = f"the limit of {policy.max_series} series is reached"
            continue
        state.current[token] = series
        state.series.add(series)
    return refused, limited


def _without(columns: SampleColumns, refused: dict[int, str], limited: dict[int, str]) -> Admitted:
    owners = columns.owners.tolist()
    refused_at = {at: refused[owner] for at, owner in enumerate(owners) if owner in refused}
    limited_at = {at: limited[owner] for at, owner in enumerate(owners) if owner in limited}
    bad = [*refused_at, *limited_at]
    return Admitted(
        columns=used(columns, bad),
        places=np.delete(np.arange(len(columns)), bad),
        refused=refused_at,
        limited=limited_at,
    )
