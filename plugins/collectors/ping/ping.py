"""The ping collector."""

from collections.abc import Iterator

from detectviz.contracts.collector import CheckResult, CollectorContext, Metric
from detectviz.contracts.config import get_bool, get_duration_s, get_int, get_number, get_text
from detectviz.contracts.errors import (
    ConfigurationError,
    EgressDeniedError,
    NetworkError,
    PluginError,
)
from detectviz.contracts.network import IpFamily, PingOptions, PingReport
from detectviz.contracts.types import CheckState, JsonObject
from plugins.collectors.ping.statistics import RoundTrips, summarise

Verdict = tuple[CheckState, str]
_FAMILIES: dict[str, IpFamily] = {"ipv4": "ipv4", "ipv6": "ipv6"}
_ALL_LOST = 100.0
# Kept back from the timeout for resolving the name and judging, so that losses are counted.
_RESERVE_S = 0.1


class PingCollector:
    """Pings one host."""

    async def check(self, context: CollectorContext) -> CheckResult:
        """Send the packets and judge loss, round trip and jitter."""
        report = await _ping(context)
        loss = (
            _ALL_LOST * (1 - len(report.round_trips_s) / report.sent) if report.sent else _ALL_LOST
        )
        trips = summarise(report.round_trips_s)
        state, message = judge(context.config, report, trips, loss)
        return CheckResult(
            state=state,
            message=message,
            duration_s=trips.average if trips else None,
            metrics=tuple(_metrics(report, trips, loss)),
            evidence={
                "address": report.address,
                "sent": report.sent,
                "round_trips_ms": [round(trip * 1000, 3) for trip in report.round_trips_s],
                "hop_limit": report.hop_limit,
                "errors": list(report.errors[:20]),
            },
        )


async def _ping(context: CollectorContext) -> PingReport:
    options = _options(context.config, context.timeout_s)
    try:
        return await context.network.ping(get_text(context.config, "host"), options)
    except EgressDeniedError:
        raise
    except NetworkError as error:
        if error.permanent:
            # This machine cannot ping at all: that says nothing about the target.
            raise PluginError(error.message, permanent=True) from error
        raise


def judge(config: JsonObject, report: PingReport, trips: RoundTrips | None, loss: float) -> Verdict:
    """Return the worst verdict of all thresholds; ``loss`` in per cent."""
    if trips is None:
        why = f": {report.errors[0]}" if report.errors else ""
        return CheckState.DOWN, f"No answer from {report.address} to {report.sent} packets{why}"
    statistic = get_text(config, "rtt_statistic")
    found = [
        _compare(config, "loss_down", "loss_degraded", loss, f"{loss:.0f} % of packets lost"),
        _compare_ms(config, "rtt", f"{statistic.capitalize()} round trip", trips.named(statistic)),
        _compare_ms(config, "jitter", "Jitter", trips.jitter),
    ]
    verdicts = [verdict for verdict in found if verdict is not None]
    for state in (CheckState.DOWN, CheckState.DEGRADED):
        texts = [text for verdict, text in verdicts if verdict is state]
        if texts:
            return state, "; ".join(texts)
    average = f"{trips.average * 1000:.1f} ms"
    return CheckState.UP, f"{report.address} answers in {average}, {loss:.0f} % lost"


def _compare(
    config: JsonObject, down: str, degraded: str, value: float, sentence: str
) -> Verdict | None:
    for state, name in ((CheckState.DOWN, down), (CheckState.DEGRADED, degraded)):
        threshold = get_number(config, name)
        if threshold is not None and value > threshold:
            return state, f"{sentence}, more than {threshold:g}"
    return None


def _compare_ms(config: JsonObject, name: str, title: str, value_s: float) -> Verdict | None:
    value_ms = value_s * 1000
    sentence = f"{title} is {value_ms:.1f} ms"
    return _compare(config, f"{name}_down_ms", f"{name}_degraded_ms", value_ms, sentence)


def _options(config: JsonObject, timeout_s: float) -> PingOptions:
    count, spacing_s = get_int(config, "count"), get_duration_s(config, "spacing") or 0.0
    left_s = timeout_s - spacing_s * (count - 1) - _RESERVE_S
    if left_s <= 0:
        message = f"{count} packets every {spacing_s:g} s do not fit into {timeout_s:g} s."
        raise ConfigurationError(message, field="/spacing")
    return PingOptions(
        count=count,
        spacing_s=spacing_s,
        packet_size=get_int(config, "packet_size"),
        packet_timeout_s=min(get_duration_s(config, "packet_timeout") or left_s, left_s),
        ip_family=_FAMILIES.get(get_text(config, "ip_family"), "auto"),
        ttl=get_int(config, "ttl"),
        dont_fragment=get_bool(config, "dont_fragment"),
        source_address=get_text(config, "source_address"),
    )


def _metrics(report: PingReport, trips: RoundTrips | None, loss: float) -> Iterator[Metric]:
    resolve = {"phase": "resolve"}
    yield Metric(name="probe_dns_lookup_time_seconds", value=report.resolve_s)
    yield Metric(name="probe_icmp_duration_seconds", value=report.resolve_s, labels=resolve)
    yield Metric(name="probe_icmp_packet_loss_ratio", value=loss / _ALL_LOST)
    yield Metric(name="probe_icmp_packets_sent", value=float(report.sent))
    yield Metric(name="probe_ip_protocol", value=6.0 if ":" in report.address else 4.0)
    if report.hop_limit is not None:
        yield Metric(name="probe_icmp_reply_hop_limit", value=float(report.hop_limit))
    if trips is None:
        return
    yield Metric(name="probe_icmp_duration_seconds", value=trips.average, labels={"phase": "rtt"})
    yield Metric(name="probe_icmp_jitter_seconds", value=trips.jitter)
    yield Metric(name="probe_icmp_rtt_stddev_seconds", value=trips.deviation)
    quantiles = {"0": trips.minimum, "0.5": trips.median, "1": trips.maximum}
    quantiles |= {f"0.{name[1:]}": value for name, value in trips.percentiles.items()}
    for quantile, value in quantiles.items():
        labels = {"quantile": quantile}
        yield Metric(name="probe_icmp_rtt_seconds", value=value, labels=labels)
