"""Records of a name, from a server or from the resolver."""

import asyncio

import dns.message
import dns.rcode
import dns.rrset
import pytest

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.network import IpFamily
from detectviz.contracts.tool import ToolAnswer
from detectviz.contracts.types import JsonObject
from detectviz.testing.networks import BadNetwork
from detectviz.testing.tools import ToolSuite, make_tool_context
from plugins.tools.dns_lookup.dns_lookup import DnsLookup


class TestConformance(ToolSuite):
    """Against a server."""

    name = "dns-lookup"
    config = {"name": "example.org", "server": "192.0.2.53"}


class DnsNetwork(BadNetwork):
    """Answers A and MX; everything else has no records."""

    async def exchange_datagram(
        self, host: str, port: int, payload: bytes, *, ip_family: IpFamily, timeout_s: float
    ) -> tuple[bytes, str]:
        """Answer as a server would."""
        query = dns.message.from_wire(payload)
        answer = dns.message.make_response(query)
        name, kind = query.question[0].name, query.question[0].rdtype.name
        values = {"A": ["192.0.2.1", "192.0.2.2"], "MX": ["10 mail.example.org."]}
        if str(name) == "gone.example.org.":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in values:
            answer.answer.append(dns.rrset.from_text_list(name, 300, "IN", kind, values[kind]))
        return answer.to_wire(), host


def run(config: JsonObject) -> ToolAnswer:
    network = DnsNetwork("empty")
    return asyncio.run(DnsLookup().run(make_tool_context("dns-lookup", config, network)))


def test_records_of_all_types_stand_in_one_table() -> None:
    answer = run({"name": "example.org", "server": "192.0.2.53"})
    table = answer.drawings[0].table
    assert table is not None
    assert answer.is_ok
    assert sorted((row[0], str(row[2])) for row in table.rows) == [
        ("A", "192.0.2.1"),
        ("A", "192.0.2.2"),
        ("MX", "10 mail.example.org."),
    ]


def test_a_name_that_does_not_exist_is_not_all_right() -> None:
    answer = run({"name": "gone.example.org", "server": "192.0.2.53", "types": ["A"]})
    assert (answer.is_ok, answer.summary) == (False, "gone.example.org has no records; A: NXDOMAIN")


def test_without_a_server_the_machine_is_asked() -> None:
    answer = run({"name": "example.org"})
    assert answer.is_ok
    assert "1 addresses" in answer.summary


def test_an_address_is_turned_round_for_its_name() -> None:
    answer = run({"name": "192.0.2.7", "server": "192.0.2.53", "types": ["PTR"]})
    assert answer.summary == "192.0.2.7 has no records"


def test_a_name_that_cannot_be_is_refused_by_field() -> None:
    with pytest.raises(ConfigurationError):
        run({"name": "a" * 70 + ".org", "server": "192.0.2.53"})
