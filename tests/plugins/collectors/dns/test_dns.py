"""The DNS collector against a real server on loopback, over all four transports."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from detectviz.contracts.collector import CheckResult
from detectviz.contracts.errors import ConfigurationError, EgressDeniedError
from detectviz.contracts.types import CheckState, JsonObject, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.pluginhost.configuration import validate
from detectviz.testing.http_server import Answer, ReceivedRequest, TestAuthority, http_server
from detectviz.testing.plugins import built_in_plugins
from plugins.collectors.dns.assertions import find_violations

RunCheck = Callable[..., Awaitable[CheckResult]]
FindMetric = Callable[..., float | None]
UP, DEGRADED, DOWN = CheckState.UP, CheckState.DEGRADED, CheckState.DOWN


@dataclass(slots=True)
class Zone:
    """What the server answers."""

    answer: list[str] = field(
        default_factory=lambda: [
            "example.org. 300 IN A 192.0.2.1",
            "example.org. 300 IN A 192.0.2.2",
        ]
    )
    authority: list[str] = field(default_factory=list)
    rcode: str = "NOERROR"
    flags: int = 0
    is_cut_over_udp: bool = False
    is_garbage: bool = False
    is_silent: bool = False
    questions: list[dns.message.Message] = field(default_factory=list)
    udp_questions: int = 0
    port: int = 0

    def reply(self, wire: bytes, *, is_udp: bool = False) -> bytes:
        question = dns.message.from_wire(wire)
        self.questions.append(question)
        self.udp_questions += is_udp
        if self.is_garbage:
            return b"\x00\x01garbage"
        reply = dns.message.make_response(question)
        reply.flags |= self.flags
        reply.set_rcode(dns.rcode.from_text(self.rcode))
        if is_udp and self.is_cut_over_udp:
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        for section, lines in ((reply.answer, self.answer), (reply.authority, self.authority)):
            for line in lines:
                name, ttl, rdclass, rdtype, data = line.split(None, 4)
                section.append(dns.rrset.from_text(name, int(ttl), rdclass, rdtype, data))
        return reply.to_wire()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self.zone = zone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self.zone.is_silent:
            transport = cast("asyncio.DatagramTransport", self.transport)
            transport.sendto(self.zone.reply(data, is_udp=True), addr)


@pytest.fixture
async def zone(authority: TestAuthority) -> AsyncIterator[Zone]:
    """Serve UDP and TCP on one port."""
    served = Zone()
    stream = await asyncio.start_server(_stream(served), "127.0.0.1", 0)
    served.port = stream.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Udp(served), local_addr=("127.0.0.1", served.port)
    )
    async with stream:
        yield served
    transport.close()


def _stream(
    zone: Zone,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length = int.from_bytes(await reader.readexactly(2), "big")
            wire = zone.reply(await reader.readexactly(length))
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    return serve


def _ask(zone: Zone, **more: object) -> dict[str, object]:
    return {"query_name": "example.org", "servers": ["127.0.0.1"], "port": zone.port, **more}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_answer_is_up_with_its_records_and_metrics(
    run_check: RunCheck, metric_of: FindMetric, zone: Zone, transport: str
) -> None:
    result = await run_check("dns", _ask(zone, transport=transport))
    assert result.state is UP, result.message
    assert "example.org A has 2 records" in result.message
    assert metric_of(result, "probe_dns_answer_rrs", server="127.0.0.1") == 2.0
    assert metric_of(result, "probe_dns_answer_ttl_seconds") == 300.0
    assert metric_of(result, "probe_dns_query_succeeded") == 1.0
    assert "192.0.2.1" in str(result.evidence["127.0.0.1"])
    assert zone.udp_questions == (1 if transport == "udp" else 0)


async def test_dns_over_tls(run_check: RunCheck, zone: Zone, authority: TestAuthority) -> None:
    listening = await asyncio.start_server(
        _stream(zone), "127.0.0.1", 0, ssl=authority.server_context()
    )
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        config = {**_ask(zone, transport="tls"), "port": port}
        good = await run_check("dns", {**config, "ca_pem": authority.ca_pem})
        untrusted = await run_check("dns", config)
    assert good.state is UP, good.message
    assert untrusted.state is DOWN


async def test_dns_over_https(run_check: RunCheck, zone: Zone, authority: TestAuthority) -> None:
    def respond(request: ReceivedRequest) -> Answer:
        assert request.headers["content-type"] == "application/dns-message"
        headers = [("Content-Type", "application/dns-message")]
        return Answer(body=zone.reply(request.body), headers=headers)

    with http_server(respond, tls=authority.server_context()) as running:
        config = _ask(zone, servers=[f"{running.url}/dns-query"], ca_pem=authority.ca_pem)
        good = await run_check("dns", config)
    with http_server(lambda _: Answer(status=404), tls=authority.server_context()) as running:
        config = _ask(zone, servers=[f"{running.url}/"], ca_pem=authority.ca_pem)
        missing = await run_check("dns", config)
    assert good.state is UP, good.message
    assert missing.state is DOWN
    assert "answered 404" in missing.message


async def test_a_cut_answer_is_asked_again_by_tcp(run_check: RunCheck, zone: Zone) -> None:
    zone.is_cut_over_udp = True
    result = await run_check("dns", _ask(zone))
    assert result.state is UP
    assert len(zone.questions) == 2
    assert "'transport': 'tcp'" in str(result.evidence)


@pytest.mark.parametrize(
    ("config", "state", "says"),
    [
        ({"min_answers": 3}, DOWN, "2 records, fewer than 3"),
        ({"answer": [{"pattern": r"192\.0\.2\.1$"}]}, UP, "2 records"),
        ({"answer": [{"pattern": r"203\.0"}]}, DOWN, "No record of the answer matches"),
        ({"answer": [{"require": "all", "pattern": r"\.1$"}]}, DOWN, "Not every record"),
        ({"answer": [{"require": "none", "pattern": r"\.1$"}]}, DOWN, "A record of the answer"),
        (
            {"answer": [{"require": "not_all", "pattern": r"192", "severity": "degraded"}]},
            DEGRADED,
            "Every record",
        ),
        ({"authority": [{"pattern": "NS"}]}, DOWN, "authority"),
        ({"ttl_degraded_below_s": 600}, DEGRADED, "lowest TTL is 300 s"),
        ({"require_authenticated": True}, DOWN, "not authenticated"),
        ({"rcodes": ["NXDOMAIN"]}, DOWN, "Answered NOERROR"),
    ],
)
async def test_demands_on_the_answer(
    run_check: RunCheck, zone: Zone, config: dict[str, object], state: CheckState, says: str
) -> None:
    result = await run_check("dns", _ask(zone, **config))
    assert result.state is state, result.message
    assert says in result.message


async def test_an_error_code_is_down_or_what_was_wanted(run_check: RunCheck, zone: Zone) -> None:
    zone.rcode, zone.answer = "NXDOMAIN", []
    assert (await run_check("dns", _ask(zone))).message == "Answered NXDOMAIN"
    assert (await run_check("dns", _ask(zone, rcodes=["NXDOMAIN"]))).state is UP


async def test_flags_of_the_question_are_as_chosen(run_check: RunCheck, zone: Zone) -> None:
    zone.flags = dns.flags.AD
    result = await run_check(
        "dns", _ask(zone, recursion=False, dnssec=True, require_authenticated=True)
    )
    assert result.state is UP, result.message
    question = zone.questions[0]
    assert not question.flags & dns.flags.RD
    assert question.flags & dns.flags.AD
    assert question.ednsflags & dns.flags.DO


async def test_the_serial_of_a_zone_is_a_metric(
    run_check: RunCheck, metric_of: FindMetric, zone: Zone
) -> None:
    zone.answer = ["example.org. 60 IN SOA ns.example.org. a.example.org. 2026013101 1 1 1 1"]
    result = await run_check("dns", _ask(zone, query_type="SOA"))
    assert metric_of(result, "probe_dns_serial") == 2026013101.0


async def test_an_address_is_turned_round_for_ptr(run_check: RunCheck, zone: Zone) -> None:
    zone.answer = ["1.2.0.192.in-addr.arpa. 60 IN PTR host.example.org."]
    await run_check("dns", _ask(zone, query_name="192.0.2.1", query_type="PTR"))
    assert str(zone.questions[0].question[0].name) == "1.2.0.192.in-addr.arpa."


async def test_servers_that_disagree_are_told(run_check: RunCheck, zone: Zone) -> None:
    other = Zone(answer=["example.org. 10 IN A 192.0.2.9"])
    listening = await asyncio.start_server(_stream(other), "::1", zone.port)
    async with listening:
        config = _ask(zone, servers=["127.0.0.1", "[::1]"], transport="tcp")
        ignored = await run_check("dns", config)
        told = await run_check("dns", {**config, "disagreement": "degraded"})
        other.answer = [line.replace("300", "7") for line in zone.answer]
        same = await run_check("dns", {**config, "disagreement": "down"})
    assert ignored.state is UP, ignored.message
    assert told.state is DEGRADED
    assert "disagree" in told.message
    assert same.state is UP, same.message


async def test_one_bad_server_of_two_is_down_and_named(run_check: RunCheck, zone: Zone) -> None:
    config = _ask(zone, servers=["127.0.0.1", "::1"], transport="tcp")
    result = await run_check("dns", config)
    assert result.state is DOWN
    assert result.message.startswith("::1: ")


@pytest.mark.parametrize("what", ["is_garbage", "is_silent"])
async def test_garbage_and_silence_are_down(run_check: RunCheck, zone: Zone, what: str) -> None:
    setattr(zone, what, True)
    result = await run_check("dns", _ask(zone), timeout_s=0.3)
    assert result.state is DOWN
    assert result.message


async def test_an_answer_to_another_question_is_not_taken(run_check: RunCheck, zone: Zone) -> None:
    class Liar(EngineNetwork):
        async def exchange_datagram(self, *_: object, **__: object) -> tuple[bytes, str]:
            return zone.reply(dns.message.make_query("other.example", "A").to_wire()), "192.0.2.1"

    liar = Liar(EgressPolicy())
    result = await run_check("dns", _ask(zone), through=liar)
    await liar.aclose()
    assert result.state is DOWN
    assert "another question" in result.message


async def test_a_denied_server_is_told_to_the_host(run_check: RunCheck, zone: Zone) -> None:
    strict = EngineNetwork(EgressPolicy())
    with pytest.raises(EgressDeniedError):
        await run_check("dns", _ask(zone), through=strict)
    await strict.aclose()


async def test_a_name_that_cannot_be_asked_for_is_a_configuration_error(
    run_check: RunCheck, zone: Zone
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        await run_check("dns", _ask(zone, query_name="a..b"))
    assert refused.value.field == "/query_name"


def test_without_records_only_any_is_violated() -> None:
    demands = [
        {"require": each, "pattern": "x", "severity": "down"}
        for each in ("any", "all", "none", "not_all")
    ]
    assert len(list(find_violations({"answer": demands}, "answer", []))) == 1


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"query_name": "x"}, "/servers"),
        ({"query_name": "x", "servers": []}, "/servers"),
        ({"query_name": "x", "servers": ["http://x/"]}, "/servers/0"),
        ({"query_name": "a b", "servers": ["x"]}, "/query_name"),
        ({"query_name": "x", "servers": ["x"], "query_type": "B"}, "/query_type"),
        ({"query_name": "x", "servers": ["x"], "answer": [{}]}, "/answer/0/pattern"),
    ],
)
def test_a_wrong_configuration_names_its_field(config: JsonObject, field: str) -> None:
    schema = built_in_plugins().manifest(PluginKind.COLLECTOR, "dns").config_schema
    assert field in {problem.field for problem in validate(schema, config, {}).problems}
