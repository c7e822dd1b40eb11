"""The DNS discovery against a real server on loopback, over UDP and TCP."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from detectviz.contracts.discovery import TargetGroup
from detectviz.contracts.errors import ConfigurationError, EgressDeniedError, PluginError
from detectviz.contracts.network import IpFamily, Resolution
from detectviz.contracts.types import PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.pluginhost.configuration import validate
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.services import free_port
from plugins.discovery.dns import resolving
from plugins.discovery.dns.resolving import NameServers

Discover = Callable[..., Awaitable[Sequence[TargetGroup]]]
EMPTY = {
    "__meta_dns_srv_record_target": "",
    "__meta_dns_srv_record_port": "",
    "__meta_dns_mx_record_target": "",
    "__meta_dns_ns_record_target": "",
}


@dataclass(slots=True)
class Zone:
    """What the server knows: lines of zone files; names without a line do not exist."""

    lines: Sequence[str] = ()
    rcodes: Mapping[str, str] = field(default_factory=dict)
    is_cut_over_udp: bool = False
    is_silent: bool = False
    questions: list[str] = field(default_factory=list)
    tcp_questions: int = 0
    port: int = 0

    @property
    def servers(self) -> list[str]:
        return [f"127.0.0.1:{self.port}"]

    def reply(self, wire: bytes, *, is_udp: bool) -> bytes:
        question = dns.message.from_wire(wire)
        name, rdtype = question.question[0].name.to_text(), question.question[0].rdtype
        self.questions.append(f"{name} {dns.rdatatype.to_text(rdtype)}")
        self.tcp_questions += not is_udp
        reply = dns.message.make_response(question)
        if is_udp and self.is_cut_over_udp:
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        for line in self.lines:
            owner, ttl, rdclass, kind, data = line.split(None, 4)
            if owner == name:
                reply.answer.append(dns.rrset.from_text(owner, int(ttl), rdclass, kind, data))
        known = "NOERROR" if reply.answer else "NXDOMAIN"
        reply.set_rcode(dns.rcode.from_text(self.rcodes.get(name, known)))
        return reply.to_wire(max_size=65_535)


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
async def zone() -> AsyncIterator[Zone]:
    """Serve UDP and TCP on one port."""
    served = Zone()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        wire = served.reply(await reader.readexactly(length), is_udp=False)
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        writer.close()

    stream = await asyncio.start_server(serve, "127.0.0.1", 0)
    served.port = stream.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Udp(served), local_addr=("127.0.0.1", served.port)
    )
    async with stream:
        yield served
    transport.close()


async def test_srv_records_bring_their_ports(discover: Discover, zone: Zone) -> None:
    name = "_metrics._tcp.example.org"
    zone.lines = [
        f"{name}. 60 IN SRV 0 0 9100 node1.example.org.",
        f"{name}. 60 IN SRV 0 0 9200 node2.example.org.",
    ]
    (group,) = await discover("dns", {"names": [name], "servers": zone.servers})
    assert group.source == name
    assert sorted(group.targets, key=lambda each: each["__address__"]) == [
        {
            **EMPTY,
            "__address__": f"node{number}.example.org:9{number}00",
            "__meta_dns_name": name,
            "__meta_dns_srv_record_target": f"node{number}.example.org.",
            "__meta_dns_srv_record_port": f"9{number}00",
        }
        for number in (1, 2)
    ]


@pytest.mark.parametrize(
    ("record", "address", "labels"),
    [
        (("A", "192.0.2.1"), "192.0.2.1:9100", {}),
        (("AAAA", "2001:db8::1"), "[2001:db8::1]:9100", {}),
        (("MX", "10 mail.x."), "mail.x:9100", {"__meta_dns_mx_record_target": "mail.x."}),
        (("NS", "ns1.x."), "ns1.x:9100", {"__meta_dns_ns_record_target": "ns1.x."}),
    ],
)
async def test_other_records_take_the_port_given(
    discover: Discover, zone: Zone, record: tuple[str, str], address: str, labels: dict[str, str]
) -> None:
    rdtype, data = record
    zone.lines = [f"example.org. 60 IN {rdtype} {data}", "example.org. 60 IN CNAME other.org."]
    config = {"names": ["example.org"], "type": rdtype, "port": 9100, "servers": zone.servers}
    (group,) = await discover("dns", config)
    expected = {**EMPTY, **labels, "__address__": address, "__meta_dns_name": "example.org"}
    assert group.targets == (expected,)
    assert zone.questions == [f"example.org. {rdtype}"]


async def test_a_name_that_does_not_exist_has_no_targets(discover: Discover, zone: Zone) -> None:
    zone.lines = ["b.org. 60 IN A 192.0.2.1"]
    config = {"names": ["a.org", "b.org"], "type": "A", "port": 1, "servers": zone.servers}
    first, second = await discover("dns", config)
    assert (first.source, first.targets) == ("a.org", ())
    assert len(second.targets) == 1


async def test_a_cut_answer_is_asked_again_by_tcp(discover: Discover, zone: Zone) -> None:
    zone.is_cut_over_udp = True
    zone.lines = [f"a.org. 60 IN A 192.0.2.{number}" for number in range(1, 200)]
    config = {"names": ["a.org"], "type": "A", "port": 1, "servers": zone.servers}
    (group,) = await discover("dns", config)
    assert len(group.targets) == 199
    assert zone.tcp_questions == 1


async def test_the_next_server_is_asked_when_one_fails(discover: Discover, zone: Zone) -> None:
    zone.lines = ["a.org. 60 IN A 192.0.2.1"]
    servers = [f"127.0.0.1:{free_port()}", *zone.servers]
    config = {"names": ["a.org"], "type": "A", "port": 1, "servers": servers}
    (group,) = await discover("dns", config)
    assert len(group.targets) == 1


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED"])
async def test_a_server_error_is_told_with_the_name(
    discover: Discover, zone: Zone, rcode: str
) -> None:
    zone.rcodes = {"a.org.": rcode}
    config = {"names": ["a.org"], "servers": zone.servers}
    with pytest.raises(PluginError, match=rf"a\.org SRV can't be asked for: .* {rcode}"):
        await discover("dns", config)


async def test_silence_is_an_error_within_the_time_allowed(discover: Discover, zone: Zone) -> None:
    zone.is_silent = True
    config = {"names": ["a.org"], "servers": zone.servers}
    with pytest.raises(PluginError, match="answer"):
        await discover("dns", config, timeout_s=0.2)


async def test_the_search_domains_of_the_machine_are_tried(
    discover: Discover, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use_as_system(monkeypatch, zone)
    zone.lines = ["db.two.org. 60 IN A 192.0.2.1"]
    (group,) = await discover("dns", {"names": ["db"], "type": "A", "port": 1})
    assert group.targets[0]["__meta_dns_name"] == "db"
    assert zone.questions == ["db.one.org. A", "db.two.org. A"]


async def test_an_error_in_one_search_domain_leaves_the_name_unknown(
    discover: Discover, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use_as_system(monkeypatch, zone)
    zone.rcodes = {"db.one.org.": "SERVFAIL"}
    with pytest.raises(PluginError, match="SERVFAIL"):
        await discover("dns", {"names": ["db"], "type": "A", "port": 1})


def _use_as_system(monkeypatch: pytest.MonkeyPatch, zone: Zone) -> None:
    system = NameServers(servers=(("127.0.0.1", zone.port),), search=("one.org", "two.org"))
    monkeypatch.setattr(resolving.NameServers, "of_machine", lambda: system)


def test_resolv_conf_names_servers_and_search_domains() -> None:
    text = "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch one.org two.org\n"
    servers = NameServers.of_machine(io.StringIO(text + "options ndots:2\n"))
    assert servers.servers == (("192.0.2.53", 53), ("2001:db8::53", 53))
    assert [*servers.spellings("a.b")] == ["a.b.one.org.", "a.b.two.org.", "a.b."]
    assert next(servers.spellings("a.b.c")) == "a.b.c."
    assert [*servers.spellings("a.")] == ["a."]


class _Denying(EngineNetwork):
    """The guard of a deployment whose name server is on a denied address."""

    async def resolve(self, host: str, *, ip_family: IpFamily = "auto") -> Resolution:
        if host != "a.org":
            return await super().resolve(host, ip_family=ip_family)
        return Resolution(addresses=("192.0.2.9",), duration_s=0.0)


async def test_addresses_come_from_the_system_where_its_name_servers_are_denied(
    discover: Discover, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use_as_system(monkeypatch, zone)
    network = _Denying(EgressPolicy())
    config = {"names": ["a.org"], "type": "A", "port": 9100}
    (group,) = await discover("dns", config, through=network)
    assert group.targets[0]["__address__"] == "192.0.2.9:9100"
    with pytest.raises(EgressDeniedError):
        await discover("dns", {"names": ["a.org"]}, through=network)
    with pytest.raises(EgressDeniedError):
        await discover("dns", {**config, "servers": zone.servers}, through=network)
    assert not zone.questions
    await network.aclose()


def test_a_port_is_demanded_for_all_but_srv() -> None:
    schema = built_in_plugins().manifest(PluginKind.DISCOVERY, "dns").config_schema
    assert not validate(schema, {"names": ["a"]}, {}).problems
    (problem,) = validate(schema, {"names": ["a"], "type": "MX"}, {}).problems
    assert "port" in f"{problem.field} {problem.message}"


@pytest.mark.parametrize("server", ["example.org:0", "[::1]:99999"])
def test_a_server_that_is_none_is_a_configuration_error(server: str) -> None:
    with pytest.raises(ConfigurationError, match="host:port") as raised:
        NameServers.read([server])
    assert raised.value.field == "/servers"


def test_servers_are_read_with_and_without_ports() -> None:
    read = NameServers.read(["192.0.2.1", "ns.org:5353", "2001:db8::1", "[2001:db8::1]:54", "ns"])
    assert read.servers == (
        ("192.0.2.1", 53),
        ("ns.org", 5353),
        ("2001:db8::1", 53),
        ("2001:db8::1", 54),
        ("ns", 53),
    )
