"""Records of a name."""

import asyncio
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.reversename

from detectviz.contracts.config import get_int, get_text, get_texts
from detectviz.contracts.drawings import Column, Drawing, Table
from detectviz.contracts.errors import ConfigurationError, NetworkError
from detectviz.contracts.tool import ToolAnswer, ToolContext
from detectviz.contracts.types import JsonScalar

_COLUMNS = (
    Column(title="Type"),
    Column(title="TTL", unit="s", is_number=True),
    Column(title="Value"),
)
_MOST_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    rows: tuple[tuple[JsonScalar, ...], ...]
    problem: str = ""


class DnsLookup:
    """Asks one server for several types at once, or this machine's resolver for addresses."""

    async def run(self, context: ToolContext) -> ToolAnswer:
        """Look up the name; no record at all is not all right."""
        name, server = get_text(context.config, "name"), get_text(context.config, "server")
        if not server:
            return await _by_resolver(context, name)
        types = get_texts(context.config, "types")
        found = await asyncio.gather(*(_ask(context, name, server, each) for each in types))
        rows = tuple(dict.fromkeys(row for each in found for row in each.rows))[:_MOST_ROWS]
        problems = tuple(dict.fromkeys(each.problem for each in found if each.problem))
        said = f"{len(rows)} records of {name} from {server}" if rows else f"{name} has no records"
        return ToolAnswer(
            is_ok=bool(rows) and not problems,
            summary="; ".join((said, *problems)),
            drawings=(Drawing(table=Table(columns=_COLUMNS, rows=rows)),) if rows else (),
        )


async def _by_resolver(context: ToolContext, name: str) -> ToolAnswer:
    resolution = await context.network.resolve(name)
    rows = tuple(("AAAA" if ":" in each else "A", None, each) for each in resolution.addresses)
    took_ms = resolution.duration_s * 1000
    return ToolAnswer(
        is_ok=bool(rows),
        summary=f"{name} has {len(rows)} addresses, found in {took_ms:.1f} ms",
        drawings=(Drawing(table=Table(columns=_COLUMNS, rows=rows)),),
    )


async def _ask(context: ToolContext, name: str, server: str, kind: str) -> _Found:
    query = _query(name, kind)
    try:
        wire, _ = await context.network.exchange_datagram(
            server,
            get_int(context.config, "port", 53),
            query.to_wire(),
            ip_family="auto",
            timeout_s=context.timeout_s,
        )
        answer = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return _Found(rows=(), problem=f"{kind}: the answer is no DNS message")
    except NetworkError as error:
        if error.permanent:
            raise
        return _Found(rows=(), problem=f"{kind}: {error.message}")
    if not query.is_response(answer):
        return _Found(rows=(), problem=f"{kind}: the answer belongs to another question")
    if answer.rcode() != dns.rcode.NOERROR:
        return _Found(rows=(), problem=f"{kind}: {dns.rcode.to_text(answer.rcode())}")
    rows = tuple(
        (dns.rdatatype.to_text(records.rdtype), records.ttl, record.to_text())
        for records in answer.answer
        for record in records
    )
    return _Found(rows=rows)


def _query(name: str, kind: str) -> dns.message.QueryMessage:
    try:
        asked: dns.name.Name | str = name
        if kind == "PTR" and not name.rstrip(".").endswith(".arpa"):
            asked = dns.reversename.from_address(name)
        return dns.message.make_query(asked, kind, use_edns=0, payload=4096)
    except (dns.exception.DNSException, ValueError) as error:
        raise ConfigurationError(f"{name} cannot be asked for: {error}", field="/name") from error
