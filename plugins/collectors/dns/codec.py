"""DNS messages: made and read by dnspython, which never touches the network here."""

import ipaddress

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.errors import ConfigurationError, NetworkError
from detectviz.contracts.types import JsonObject

# What fits into one datagram on every path (DNS flag day 2020).
_UDP_PAYLOAD_BYTES = 1_232


def build_query(config: JsonObject) -> dns.message.QueryMessage:
    """Return the question; raise ConfigurationError when the name cannot be asked for."""
    rdtype = get_text(config, "query_type")
    query = dns.message.make_query(
        _name(get_text(config, "query_name"), rdtype),
        rdtype,
        get_text(config, "query_class"),
        use_edns=0,
        payload=_UDP_PAYLOAD_BYTES,
        want_dnssec=get_bool(config, "dnssec"),
    )
    if not get_bool(config, "recursion", default=True):
        query.flags &= ~dns.flags.RD
    if get_bool(config, "require_authenticated"):
        query.flags |= dns.flags.AD
    return query


def read_answer(query: dns.message.Message, wire: bytes) -> dns.message.Message:
    """Return the answer in ``wire``; raise NetworkError when it is none to ``query``."""
    try:
        answer = dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError) as error:
        message = f"the answer is no DNS message: {error}"
        raise NetworkError(message, phase="receive") from error
    if not query.is_response(answer):
        raise NetworkError("the answer belongs to another question", phase="receive")
    return answer


def is_truncated(answer: dns.message.Message) -> bool:
    """Return whether the server cut the answer to fit a datagram."""
    return bool(answer.flags & dns.flags.TC)


def is_authenticated(answer: dns.message.Message) -> bool:
    """Return whether the server says that it validated the answer."""
    return bool(answer.flags & dns.flags.AD)


def record_lines(section: list[dns.rrset.RRset]) -> list[str]:
    """Return one line per record: name, TTL, class, type, data."""
    return [line for rrset in section for line in rrset.to_text().splitlines()]


def fingerprint(answer: dns.message.Message) -> frozenset[str]:
    """Return the answer's records without their TTLs, to compare servers with."""
    return frozenset(
        f"{rrset.name.canonicalize()} {dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_text()}"
        for rrset in answer.answer
        for rdata in rrset
    )


def lowest_ttl(answer: dns.message.Message) -> int | None:
    """Return the lowest TTL of the answer's records in seconds."""
    return min((rrset.ttl for rrset in answer.answer), default=None)


def soa_serial(answer: dns.message.Message) -> int | None:
    """Return the serial of the first SOA record in the answer or authority section."""
    for rrset in (*answer.answer, *answer.authority):
        if rrset.rdtype == dns.rdatatype.SOA:
            return next((int(rdata.serial) for rdata in rrset), None)
    return None


def rcode_name(answer: dns.message.Message) -> str:
    """Return the response code as text, such as NXDOMAIN."""
    return dns.rcode.to_text(answer.rcode())


def flag_names(answer: dns.message.Message) -> str:
    """Return the header flags as text, such as ``QR RD RA AD``."""
    return dns.flags.to_text(answer.flags)


def _name(text: str, rdtype: str) -> dns.name.Name:
    try:
        if rdtype == "PTR":
            try:
                return dns.reversename.from_address(str(ipaddress.ip_address(text)))
            except ValueError:
                pass
        return dns.name.from_text(text, idna_codec=dns.name.IDNA_2008_Practical)
    except (dns.exception.DNSException, ValueError) as error:
        message = f"{text} cannot be asked for: {error}"
        raise ConfigurationError(message, field="/query_name") from error
