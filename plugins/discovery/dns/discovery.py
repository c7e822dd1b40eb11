"""Targets from DNS records."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, cast

import dns.message
import dns.rcode
import dns.rdatatype
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.NS import NS
from dns.rdtypes.IN.SRV import SRV

from detectviz.contracts.config import get_int, get_text, get_texts
from detectviz.contracts.discovery import DiscoveryContext, TargetGroup
from detectviz.contracts.errors import (
    ConfigurationError,
    EgressDeniedError,
    NetworkError,
    PluginError,
)
from detectviz.contracts.network import IpFamily
from detectviz.contracts.types import Labels
from plugins.discovery.dns.resolving import NameServers, ask

_ADDRESS_FAMILIES: Final[dict[str, IpFamily]] = {"A": "ipv4", "AAAA": "ipv6"}
_SRV_TARGET: Final = "__meta_dns_srv_record_target"
_SRV_PORT: Final = "__meta_dns_srv_record_port"
_MX_TARGET: Final = "__meta_dns_mx_record_target"
_NS_TARGET: Final = "__meta_dns_ns_record_target"


class DnsDiscovery:
    """Makes every record of some names a target, as Prometheus' dns_sd_configs."""

    async def discover(self, context: DiscoveryContext) -> Sequence[TargetGroup]:
        """Return one group per name; raise PluginError naming one that can't be asked for."""
        if get_text(context.config, "type") != "SRV" and not get_int(context.config, "port"):
            raise ConfigurationError("Set the port of the targets.", field="/port")
        given = get_texts(context.config, "servers")
        servers = NameServers.read(given) if given else NameServers.of_machine()
        try:
            async with asyncio.timeout(context.timeout_s), asyncio.TaskGroup() as group:
                names = get_texts(context.config, "names")
                tasks = [group.create_task(_group(context, servers, name)) for name in names]
        except TimeoutError:
            message = f"no name server answered within {context.timeout_s:g} s"
            raise PluginError(message) from None
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]


async def _group(context: DiscoveryContext, servers: NameServers, name: str) -> TargetGroup:
    rdtype = get_text(context.config, "type")
    family = _ADDRESS_FAMILIES.get(rdtype)
    port = get_int(context.config, "port")
    try:
        answer = await _look_up(context, servers, name, rdtype)
    except EgressDeniedError:
        if family is None or get_texts(context.config, "servers"):
            raise
        resolved = await context.network.resolve(name, ip_family=family)
        found = [_labels(name, _joined(address, port)) for address in resolved.addresses]
    else:
        found = [*_targets(answer, name, port)] if answer else []
    return TargetGroup(targets=tuple(found), source=name)


async def _look_up(
    context: DiscoveryContext, servers: NameServers, name: str, rdtype: str
) -> dns.message.Message | None:
    """Return the answer of the first spelling that exists, None when none does."""
    problem: NetworkError | None = None
    for spelling in servers.spellings(name):
        try:
            answer = await ask(context, servers, spelling, rdtype)
        except EgressDeniedError:
            raise
        except NetworkError as error:
            problem = error
            continue
        if answer.rcode() == dns.rcode.NOERROR:
            return answer
    if problem is not None:
        raise PluginError(f"{name} {rdtype} can't be asked for: {problem.message}.") from problem
    return None


def _targets(answer: dns.message.Message, name: str, port: int) -> Iterator[Labels]:
    for rrset in answer.answer:
        for record in rrset:
            match rrset.rdtype:
                case dns.rdatatype.SRV:
                    srv = cast("SRV", record)
                    more = {_SRV_TARGET: srv.target.to_text(), _SRV_PORT: str(srv.port)}
                    yield _labels(name, _joined(_host(srv.target.to_text()), srv.port), more)
                case dns.rdatatype.MX:
                    exchange = cast("MX", record).exchange.to_text()
                    yield _labels(name, _joined(_host(exchange), port), {_MX_TARGET: exchange})
                case dns.rdatatype.NS:
                    server = cast("NS", record).target.to_text()
                    yield _labels(name, _joined(_host(server), port), {_NS_TARGET: server})
                case dns.rdatatype.A | dns.rdatatype.AAAA:
                    yield _labels(name, _joined(record.to_text(), port))


def _labels(name: str, address: str, more: Labels | None = None) -> Labels:
    empty = dict.fromkeys((_SRV_TARGET, _SRV_PORT, _MX_TARGET, _NS_TARGET), "")
    return {"__address__": address, "__meta_dns_name": name, **empty, **(more or {})}


def _host(name: str) -> str:
    return name.rstrip(".")


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
