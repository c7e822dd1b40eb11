from collections.abc import AsyncIterator

import pytest

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import PingOptions
from detectviz.net import icmp
from detectviz.net.guard import EgressPolicy
from detectviz.net.icmp_packets import Echo, checksum, echo_request, parse
from detectviz.net.network import EngineNetwork


def _may_ping() -> bool:
    try:
        opened, _ = icmp._open(4)
    except NetworkError:
        return False
    opened.close()
    return True


needs_ping = pytest.mark.skipif(not _may_ping(), reason="this process may not send ICMP")


@pytest.fixture
async def network() -> AsyncIterator[EngineNetwork]:
    made = EngineNetwork(EgressPolicy(allow_private=True))
    yield made
    await made.aclose()


@needs_ping
@pytest.mark.parametrize("size", [0, 8, 56, 1400, 9000])
async def test_loopback_answers_every_packet(network: EngineNetwork, size: int) -> None:
    options = PingOptions(count=3, spacing_s=0.001, packet_size=size)
    report = await network.ping("127.0.0.1", options)
    assert (report.sent, len(report.round_trips_s), report.errors) == (3, 3, ())
    assert all(0 < round_trip < 1 for round_trip in report.round_trips_s)
    assert report.hop_limit == 64


@needs_ping
async def test_the_ttl_asked_for_is_sent_and_runs_do_not_disturb_each_other(
    network: EngineNetwork,
) -> None:
    short = PingOptions(count=1, ttl=3, dont_fragment=True, source_address="127.0.0.1")
    assert len((await network.ping("127.0.0.1", short)).round_trips_s) == 1
    assert len((await network.ping("127.0.0.1", PingOptions(count=1))).round_trips_s) == 1


@needs_ping
async def test_a_packet_without_an_answer_is_lost_and_no_error(
    network: EngineNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icmp, "parse", lambda *_: None)
    report = await network.ping("127.0.0.1", PingOptions(count=1, packet_timeout_s=0.05))
    assert (report.sent, report.round_trips_s, report.hop_limit) == (1, (), None)


async def test_a_system_that_forbids_it_is_told_what_to_set(
    network: EngineNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> object:
        raise PermissionError

    monkeypatch.setattr("detectviz.net.icmp.socket.socket", refuse)
    with pytest.raises(NetworkError, match=r"ping_group_range.*CAP_NET_RAW") as caught:
        await network.ping("127.0.0.1", PingOptions())
    assert caught.value.permanent


async def test_absurd_options_are_refused(network: EngineNetwork) -> None:
    for options in (PingOptions(count=0), PingOptions(packet_size=70_000)):
        with pytest.raises(NetworkError, match="1 to 100 packets"):
            await network.ping("127.0.0.1", options)


def test_the_checksum_of_a_request_is_right() -> None:
    packet = echo_request(4, 7, 9, b"odd")
    assert checksum(packet) == 0


def test_replies_are_read_with_and_without_an_ip_header() -> None:
    reply = bytes([0, 0, 0, 0, 0, 7, 0, 9]) + b"data"
    header = bytes([0x45]) + bytes(19)
    wanted = Echo(7, 9, b"data")
    assert parse(4, reply) == parse(4, header + reply) == wanted
    assert parse(6, bytes([129]) + reply[1:]) == wanted


def test_an_error_is_read_with_the_request_it_quotes() -> None:
    header = bytes([0x45]) + bytes(19)
    quoted = header + echo_request(4, 7, 9, b"")
    unreachable = header + bytes([3, 1, 0, 0, 0, 0, 0, 0]) + quoted
    assert parse(4, unreachable) == Echo(7, 9, b"", "destination unreachable (code 1)")
    exceeded = bytes([3, 0, 0, 0, 0, 0, 0, 0]) + bytes(40) + echo_request(6, 7, 9, b"")
    assert parse(6, exceeded) == Echo(7, 9, b"", "hop limit exceeded in transit (code 0)")


@pytest.mark.parametrize(
    "packet", [b"", b"\0", b"\x45", bytes(7), bytes([8]) + bytes(7), bytes([3]) + bytes(9)]
)
def test_other_packets_are_none_of_ours(packet: bytes) -> None:
    assert parse(4, packet) is None
