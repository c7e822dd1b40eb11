"""The DNS collector."""

import asyncio
from collections.abc import Iterator, Mapping

from detectviz.contracts.collector import CheckResult, CollectorContext, Metric
from detectviz.contracts.config import get_bool, get_int, get_number, get_text, get_texts
from detectviz.contracts.errors import EgressDeniedError, NetworkError
from detectviz.contracts.types import CheckState, JsonObject
from plugins.collectors.dns.assertions import Finding, find_violations
from plugins.collectors.dns.codec import (
    build_query,
    fingerprint,
    flag_names,
    is_authenticated,
    lowest_ttl,
    rcode_name,
    record_lines,
    soa_serial,
)
from plugins.collectors.dns.transport import Reply, ask

_SHOWN_RECORDS = 30
_SHOWN_FINDINGS = 5
Replies = Mapping[str, Reply | NetworkError]


class DnsCollector:
    """Asks one question of one or more servers."""

    async def check(self, context: CollectorContext) -> CheckResult:
        """Ask all servers at once and judge every answer."""
        servers = get_texts(context.config, "servers")
        asked = await asyncio.gather(*(_ask(context, server) for server in servers))
        replies = dict(zip(servers, asked, strict=True))
        findings = [*_findings(context.config, replies)]
        state, message = _summary(context.config, findings, replies)
        durations = [reply.duration_s for reply in asked if isinstance(reply, Reply)]
        return CheckResult(
            state=state,
            message=message,
            duration_s=max(durations, default=None),
            metrics=tuple(
                metric for server in servers for metric in _metrics(server, replies[server])
            ),
            evidence={server: _evidence(replies[server]) for server in servers},
        )


async def _ask(context: CollectorContext, server: str) -> Reply | NetworkError:
    try:
        async with asyncio.timeout(context.timeout_s):
            return await ask(context, server, build_query(context.config))
    except EgressDeniedError:
        raise
    except TimeoutError:
        return NetworkError(f"no answer within {context.timeout_s:g} s", phase="receive")
    except NetworkError as error:
        return error


def _findings(config: JsonObject, replies: Replies) -> Iterator[Finding]:
    for server, reply in replies.items():
        place = f"{server}: " if len(replies) > 1 else ""
        for state, text in _judge(config, reply):
            yield state, f"{place}{text}"
    yield from _disagreement(config, replies)


def _judge(config: JsonObject, reply: Reply | NetworkError) -> Iterator[Finding]:
    if isinstance(reply, NetworkError):
        yield CheckState.DOWN, reply.message
        return
    answer = reply.message
    rcode = rcode_name(answer)
    if rcode not in get_texts(config, "rcodes"):
        yield CheckState.DOWN, f"answered {rcode}"
    if get_bool(config, "require_authenticated") and not is_authenticated(answer):
        yield CheckState.DOWN, "the answer is not authenticated (no AD flag)"
    records = record_lines(answer.answer)
    least = get_int(config, "min_answers")
    if len(records) < least:
        yield CheckState.DOWN, f"{len(records)} records, fewer than {least}"
    yield from find_violations(config, "answer", records)
    yield from find_violations(config, "authority", record_lines(answer.authority))
    yield from find_violations(config, "additional", record_lines(answer.additional))
    ttl, ttl_floor = lowest_ttl(answer), get_number(config, "ttl_degraded_below_s")
    if ttl is not None and ttl_floor is not None and ttl < ttl_floor:
        yield CheckState.DEGRADED, f"the lowest TTL is {ttl} s, below {ttl_floor:g}"


def _disagreement(config: JsonObject, replies: Replies) -> Iterator[Finding]:
    severity = get_text(config, "disagreement")
    if severity == "ignore":
        return
    answered = {name: reply for name, reply in replies.items() if isinstance(reply, Reply)}
    serials = {name: soa_serial(reply.message) for name, reply in answered.items()}
    if get_text(config, "query_type") == "SOA" and len(set(serials.values())) > 1:
        shown = ", ".join(f"{name} has {serial}" for name, serial in serials.items())
        yield CheckState(severity), f"servers disagree on the SOA serial: {shown}"
    elif len({fingerprint(reply.message) for reply in answered.values()}) > 1:
        yield CheckState(severity), f"servers disagree: {', '.join(answered)}"


def _summary(
    config: JsonObject, findings: list[Finding], replies: Replies
) -> tuple[CheckState, str]:
    for state in (CheckState.DOWN, CheckState.DEGRADED):
        if any(found is state for found, _ in findings):
            texts = [text for found, text in findings if found is state]
            message = "; ".join(texts[:_SHOWN_FINDINGS])
            return state, message[:1].upper() + message[1:]
    answered = [reply for reply in replies.values() if isinstance(reply, Reply)]
    records = record_lines(answered[0].message.answer) if answered else []
    question = f"{get_text(config, 'query_name')} {get_text(config, 'query_type')}"
    shown = f": {records[0]}" if records else ""
    return CheckState.UP, f"{question} has {len(records)} records{shown}"[:300]


def _metrics(server: str, reply: Reply | NetworkError) -> Iterator[Metric]:
    labels = {"server": server}
    has_answered = isinstance(reply, Reply)
    yield Metric(name="probe_dns_query_succeeded", value=float(has_answered), labels=labels)
    if not isinstance(reply, Reply):
        return
    answer = reply.message
    values: dict[str, float | None] = {
        "probe_dns_duration_seconds": reply.duration_s,
        "probe_dns_answer_rrs": len(record_lines(answer.answer)),
        "probe_dns_authority_rrs": len(record_lines(answer.authority)),
        "probe_dns_additional_rrs": len(record_lines(answer.additional)),
        "probe_dns_rcode": int(answer.rcode()),
        "probe_dns_answer_ttl_seconds": lowest_ttl(answer),
        "probe_dns_serial": soa_serial(answer),
    }
    for name, value in values.items():
        if value is not None:
            yield Metric(name=name, value=float(value), labels=labels)


def _evidence(reply: Reply | NetworkError) -> JsonObject:
    if isinstance(reply, NetworkError):
        return {"error": reply.message, "phase": reply.phase}
    answer = reply.message
    return {
        "address": reply.address,
        "transport": reply.transport,
        "duration_s": round(reply.duration_s, 6),
        "rcode": rcode_name(answer),
        "flags": flag_names(answer),
        "answer": record_lines(answer.answer)[:_SHOWN_RECORDS],
        "authority": record_lines(answer.authority)[:_SHOWN_RECORDS],
        "additional": record_lines(answer.additional)[:_SHOWN_RECORDS],
    }
