"""From a result to samples: names, labels, time and value."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from re import fullmatch
from typing import Any

from apps.monitors.enums import STATE_CODES
from apps.monitors.services.states import Step
from detectviz.clock import to_ms
from detectviz.contracts.collector import CheckResult
from detectviz.contracts.types import CheckState
from detectviz.tsdb.interface import METRIC_NAME, STALE_NAN, Matcher, MatchOp, Sample, SeriesStore

RESERVED_LABELS = frozenset({METRIC_NAME, "monitor", "type", "instance", "location"})
CERTIFICATE_METRIC = "probe_ssl_earliest_cert_expiry"
_OF_THE_HOST = frozenset({"probe_success", "probe_state", "probe_duration_seconds"})
_ALIGNED_WITHIN_MS = 50
_STALE_LOOKBACK = timedelta(minutes=10)
_LONGEST_INSTANCE = 500
_LABEL_NAME = "[a-zA-Z_][a-zA-Z0-9_]*"


def base_labels(
    *, name: str, type_name: str, instance: str, location: str, labels: Mapping[str, str]
) -> dict[str, str]:
    """Return what every series of a monitor carries.

    Of the monitor's own labels those with a valid Prometheus name that is not reserved; an empty
    value means no label, as in Prometheus.
    """
    own = own_labels(labels)
    base = {"monitor": name, "type": type_name, "location": location}
    return {**own, **base, **({"instance": instance} if instance else {})}


def own_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return those of a monitor's labels that its series can have."""
    return {key: str(value) for key, value in labels.items() if value and _is_allowed(key)}


def sample_time_ms(*, slot_ms: int, started_at_ms: int) -> int:
    """Return the timestamp of a check's samples: its slot when it started on time.

    Regular timestamps make short blocks and steady rates; Prometheus aligns scrapes likewise.
    """
    return slot_ms if 0 <= started_at_ms - slot_ms <= _ALIGNED_WITHIN_MS else started_at_ms


def result_samples(
    *,
    base: Mapping[str, str],
    result: CheckResult,
    step: Step,
    timestamp_ms: int,
) -> Iterator[Sample]:
    """Yield the samples of one result.

    ``probe_success`` is this check's own verdict (1 for up and degraded), ``probe_state`` the
    monitor's state after retries. Of an unknown result nothing is known: ``probe_success`` and
    ``probe_duration_seconds`` are marked stale instead of being guessed (as is the duration of a
    check that measured none).
    """
    is_timed = step.observed is not CheckState.UNKNOWN and result.duration_s is not None
    duration_s = (result.duration_s or 0.0) if is_timed else STALE_NAN
    yield from standing_samples(
        base=base,
        state=step.standing.state,
        observed=step.observed,
        timestamp_ms=timestamp_ms,
    )
    yield Sample({METRIC_NAME: "probe_duration_seconds", **base}, timestamp_ms, duration_s)
    for measured in result.metrics:
        if measured.name not in _OF_THE_HOST:
            own = measured.labels
            if not RESERVED_LABELS.isdisjoint(own):
                own = {key: text for key, text in own.items() if key not in RESERVED_LABELS}
            labels = {**base, **own, METRIC_NAME: measured.name}
            yield Sample(labels, timestamp_ms, measured.value)


def standing_samples(
    *, base: Mapping[str, str], state: CheckState, observed: CheckState, timestamp_ms: int
) -> Iterator[Sample]:
    """Yield ``probe_success`` and ``probe_state`` of a monitor that stands at ``state``."""
    is_success = observed in {CheckState.UP, CheckState.DEGRADED}
    success = STALE_NAN if observed is CheckState.UNKNOWN else float(is_success)
    yield Sample({METRIC_NAME: "probe_success", **base}, timestamp_ms, success)
    yield Sample({METRIC_NAME: "probe_state", **base}, timestamp_ms, float(STATE_CODES[state]))


def certificate_expiry_s(result: CheckResult) -> float | None:
    """Return the Unix time at which the first certificate of the chain ends, if one was seen."""
    found = (metric.value for metric in result.metrics if metric.name == CERTIFICATE_METRIC)
    return next(found, None)


def series_end(*, store: SeriesStore, tenant: str, monitor: str, now: datetime) -> int:
    """Mark stale every series a monitor wrote lately; return how many.

    For monitors deleted, paused, renamed or relabelled: queries and rules stop seeing them at
    once instead of five minutes later.
    """
    now_ms = to_ms(now)
    series = store.series(
        tenant,
        [Matcher("monitor", MatchOp.EQUAL, monitor), Matcher("type", MatchOp.NOT_EQUAL, "")],
        to_ms(now - _STALE_LOOKBACK),
        now_ms,
    )
    if series:
        store.append(tenant, [Sample(labels, now_ms, STALE_NAN) for labels in series])
    return len(series)


def instance_of(schema: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return what a monitor points at: its first ``x-target``, else its first required property.

    A URL loses user name and password; a host gets its port, where the configuration has one.
    """
    for name in _pointing_properties(schema):
        value = config.get(name)
        if not isinstance(value, str) or not value:
            continue
        port = config.get("port")
        is_target = schema["properties"][name].get("x-target") is True
        if is_target and "://" not in value and isinstance(port, int):
            value = f"[{value}]:{port}" if ":" in value else f"{value}:{port}"
        return _without_credentials(value)[:_LONGEST_INSTANCE]
    return ""


def _pointing_properties(schema: Mapping[str, Any]) -> list[str]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    targets = [name for name, described in properties.items() if described.get("x-target") is True]
    return targets or list(schema.get("required", ()))


def _is_allowed(name: str) -> bool:
    is_internal = name.startswith("__") or name in RESERVED_LABELS
    return not is_internal and fullmatch(_LABEL_NAME, name) is not None


def _without_credentials(target: str) -> str:
    scheme, separator, rest = target.partition("://")
    if not separator:
        return target
    ends = [position for mark in "/?#" if (position := rest.find(mark)) >= 0]
    end = min(ends, default=len(rest))
    return f"{scheme}://{rest[:end].rpartition('@')[2]}{rest[end:]}"
