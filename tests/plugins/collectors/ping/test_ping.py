"""Pings are judged by loss, round trip and jitter; loopback is really pinged where permitted."""

from collections.abc import Awaitable, Callable

import pytest

from detectviz.contracts.collector import CheckResult
from detectviz.contracts.errors import ConfigurationError, NetworkError, PluginError
from detectviz.contracts.network import Network, PingOptions, PingReport
from detectviz.contracts.types import CheckState, JsonObject, PluginKind
from detectviz.net.network import EngineNetwork
from detectviz.pluginhost.configuration import validate
from detectviz.testing.plugins import built_in_plugins
from plugins.collectors.ping.statistics import summarise

RunCheck = Callable[..., Awaitable[CheckResult]]
FindMetric = Callable[..., float | None]
UP, DEGRADED, DOWN = CheckState.UP, CheckState.DEGRADED, CheckState.DOWN


class FakePinger(EngineNetwork):
    """A network whose pings end as told."""

    def __init__(self, outcome: PingReport | NetworkError) -> None:
        self.outcome = outcome
        self.asked: list[PingOptions] = []

    async def ping(self, host: str, options: PingOptions) -> PingReport:
        self.asked.append(options)
        if isinstance(self.outcome, NetworkError):
            raise self.outcome
        return self.outcome


def _report(*round_trips_ms: float, sent: int = 4) -> PingReport:
    return PingReport(
        address="192.0.2.1",
        sent=sent,
        round_trips_s=tuple(trip / 1000 for trip in round_trips_ms),
        hop_limit=57,
        resolve_s=0.001,
        errors=("host unreachable",) if not round_trips_ms else (),
    )


@pytest.mark.parametrize(
    ("report", "config", "state", "says"),
    [
        (_report(10, 10, 10, 10), {}, UP, "answers in 10.0 ms"),
        (_report(10, 10, 10), {}, DEGRADED, "25 % of packets lost, more than 0"),
        (_report(10), {}, DOWN, "75 % of packets lost, more than 50"),
        (_report(), {}, DOWN, "No answer from 192.0.2.1 to 4 packets: host unreachable"),
        (_report(), {"loss_down": None, "loss_degraded": None}, DOWN, "No answer"),
        (_report(10, 10, 10), {"loss_degraded": 30}, UP, "25 % lost"),
        (_report(10, 10, 10, 50), {"rtt_degraded_ms": 15}, DEGRADED, "Average round trip is 20.0"),
        (_report(10, 10, 10, 50), {"rtt_down_ms": 15}, DOWN, "more than 15"),
        (
            _report(10, 10, 10, 50),
            {"rtt_statistic": "median", "rtt_degraded_ms": 15},
            UP,
            "answers",
        ),
        (
            _report(10, 10, 10, 50),
            {"rtt_statistic": "p95", "rtt_degraded_ms": 45},
            DEGRADED,
            "P95 round trip is 50.0 ms",
        ),
        (_report(10, 20, 10, 20), {"jitter_degraded_ms": 5}, DEGRADED, "Jitter is 10.0 ms"),
        (_report(10, 20, 10, 20), {"jitter_down_ms": 5, "rtt_degraded_ms": 1}, DOWN, "Jitter"),
    ],
)
async def test_thresholds_decide(
    run_check: RunCheck,
    report: PingReport,
    config: dict[str, object],
    state: CheckState,
    says: str,
) -> None:
    result = await run_check("ping", {"host": "example.org", **config}, through=FakePinger(report))
    assert result.state is state, result.message
    assert says in result.message


async def test_metrics_are_named_as_blackbox_names_them(
    run_check: RunCheck, metric_of: FindMetric
) -> None:
    report = _report(10, 20, 30)
    result = await run_check("ping", {"host": "example.org"}, through=FakePinger(report))
    assert metric_of(result, "probe_icmp_duration_seconds", phase="rtt") == pytest.approx(0.02)
    assert metric_of(result, "probe_icmp_duration_seconds", phase="resolve") == 0.001
    assert metric_of(result, "probe_icmp_packet_loss_ratio") == 0.25
    assert metric_of(result, "probe_icmp_reply_hop_limit") == 57.0
    assert metric_of(result, "probe_icmp_rtt_seconds", quantile="1") == pytest.approx(0.03)
    assert metric_of(result, "probe_icmp_jitter_seconds") == pytest.approx(0.01)
    assert result.duration_s == pytest.approx(0.02)


async def test_a_machine_that_may_not_ping_says_nothing_about_the_target(
    run_check: RunCheck,
) -> None:
    failure = NetworkError("this process may not send pings", phase="connect", permanent=True)
    with pytest.raises(PluginError) as refused:
        await run_check("ping", {"host": "example.org"}, through=FakePinger(failure))
    assert not isinstance(refused.value, NetworkError)


async def test_a_name_that_does_not_resolve_is_left_to_the_host(run_check: RunCheck) -> None:
    failure = NetworkError("no such name", phase="resolve")
    with pytest.raises(NetworkError):
        await run_check("ping", {"host": "example.org"}, through=FakePinger(failure))


async def test_all_packets_fit_into_the_timeout_or_the_spacing_is_named(
    run_check: RunCheck,
) -> None:
    network = FakePinger(_report(10))
    config = {"host": "example.org", "count": 5, "spacing": "100ms"}
    await run_check("ping", config, timeout_s=1.0, through=network)
    assert network.asked[0].packet_timeout_s == pytest.approx(0.5)
    with pytest.raises(ConfigurationError) as refused:
        await run_check("ping", {**config, "spacing": "1s"}, timeout_s=1.0, through=network)
    assert refused.value.field == "/spacing"


async def test_loopback_answers(run_check: RunCheck, network: Network) -> None:
    try:
        result = await run_check("ping", {"host": "127.0.0.1", "spacing": "10ms"})
    except PluginError as error:
        pytest.skip(f"{error.message}")
    assert result.state is UP, result.message
    assert len(list(result.evidence["round_trips_ms"])) == 3  # type: ignore[arg-type]  # a list


def test_no_round_trips_have_no_statistics() -> None:
    assert summarise(()) is None


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "/host"),
        ({"host": "x", "count": 0}, "/count"),
        ({"host": "x", "packet_size": 70_000}, "/packet_size"),
        ({"host": "x", "loss_down": 101}, "/loss_down"),
        ({"host": "x", "spacing": "often"}, "/spacing"),
    ],
)
def test_a_wrong_configuration_names_its_field(config: JsonObject, field: str) -> None:
    schema = built_in_plugins().manifest(PluginKind.COLLECTOR, "ping").config_schema
    assert field in {problem.field for problem in validate(schema, config, {}).problems}
