"""From what a plugin did to a result fit to store."""

import logging
from dataclasses import replace
from typing import Final, cast

import orjson

from detectviz.collection.checks import ScheduledCheck
from detectviz.contracts.collector import CheckResult, Scrape
from detectviz.contracts.errors import NetworkError, PluginError
from detectviz.contracts.types import CheckState, JsonObject

MAX_EVIDENCE_BYTES: Final = 65_536
MAX_MESSAGE: Final = 1_000
# Shorter values are words that occur by chance; masking them would only garble.
SHORTEST_SECRET: Final = 4
MASK: Final = "***"

logger = logging.getLogger(__name__)


def from_answer(answer: object, check: ScheduledCheck) -> CheckResult:
    """Make the plugin's answer safe: secrets masked, sizes within the caps."""
    if not isinstance(answer, CheckResult):
        name = type(answer).__name__
        return _unknown(f"The collector {check.collector} answered with a {name}, not a result.")
    message = _mask(answer.message, check)[:MAX_MESSAGE]
    evidence = _fit(answer.evidence, check)
    scrapes = _masked_scrapes(answer.scrapes, check)
    is_same = message is answer.message and evidence is answer.evidence
    if is_same and scrapes is answer.scrapes:
        return answer
    return replace(answer, message=message, evidence=evidence, scrapes=scrapes)


def from_exception(error: BaseException, check: ScheduledCheck) -> CheckResult:
    """Judge what the plugin raised.

    A NetworkError means down, unless it is permanent: then it is the configuration, the egress
    policy or this machine's rights that failed, and nothing is known about the target.
    """
    if isinstance(error, NetworkError) and not error.permanent:
        result = CheckResult(
            state=CheckState.DOWN,
            message=error.message,
            evidence={"phase": error.phase, "error": type(error).__name__},
        )
    elif isinstance(error, PluginError):
        result = _unknown(error.message, error=type(error).__name__)
    else:
        logger.error("collector %s failed on %s", check.collector, check.name, exc_info=error)
        name = type(error).__name__
        result = _unknown(f"The collector {check.collector} failed: {name}: {error}", error=name)
    return from_answer(result, check)


def timed_out(check: ScheduledCheck) -> CheckResult:
    """Judge a check that the engine had to end."""
    return CheckResult(
        state=CheckState.DOWN,
        message=f"timed out after {check.timeout_s:g} s",
        duration_s=check.timeout_s,
        evidence={"error": "DeadlineExceededError"},
    )


def _unknown(message: str, *, error: str = "PluginError") -> CheckResult:
    return CheckResult(state=CheckState.UNKNOWN, message=message, evidence={"error": error})


def _secrets_of(check: ScheduledCheck) -> list[str]:
    return [value for value in check.secrets.values() if len(value) >= SHORTEST_SECRET]


def _mask(text: str, check: ScheduledCheck) -> str:
    if not check.secrets:
        return text
    for secret in _secrets_of(check):
        text = text.replace(secret, MASK)
    return text


def _masked_scrapes(
    scrapes: tuple[Scrape, ...] | None, check: ScheduledCheck
) -> tuple[Scrape, ...] | None:
    """Mask what targets' errors quote; their samples are the targets' own."""
    if not scrapes or not check.secrets or not any(each.target.error for each in scrapes):
        return scrapes
    return tuple(
        replace(each, target=replace(each.target, error=_mask(each.target.error, check)))
        for each in scrapes
    )


def _fit(evidence: JsonObject, check: ScheduledCheck) -> JsonObject:
    if not evidence:
        return evidence
    try:
        encoded = orjson.dumps(evidence)
    except TypeError as error:
        return {"evidence_dropped": f"it is not JSON: {error}"}
    if len(encoded) > MAX_EVIDENCE_BYTES:
        return {"evidence_dropped": f"it has {len(encoded)} of at most {MAX_EVIDENCE_BYTES} bytes"}
    if not check.secrets:
        return evidence
    masked = encoded
    for secret in _secrets_of(check):
        masked = masked.replace(orjson.dumps(secret)[1:-1], MASK.encode())
    return evidence if masked is encoded else _decoded(masked)


def _decoded(encoded: bytes) -> JsonObject:
    return cast("JsonObject", orjson.loads(encoded))
