"""Whether an answer is as it should be."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from detectviz.contracts.config import (
    get_bool,
    get_int,
    get_number,
    get_objects,
    get_text,
    get_texts,
)
from detectviz.contracts.network import HttpResponse
from detectviz.contracts.types import CheckState, JsonObject
from plugins.collectors.http.assertions import Answer, Finding, judge_assertions
from plugins.collectors.http.report import certificate_days

SHOWN_FINDINGS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The judging half of a configuration."""

    expected: tuple[str, ...]
    ranges: tuple[tuple[int, int], ...]
    versions: tuple[str, ...]
    fail_if_ssl: bool
    fail_if_not_ssl: bool
    smallest: float | None
    largest: float | None
    warn_days: float | None
    critical_days: float | None
    assertions: tuple[JsonObject, ...]
    save_response: str
    evidence_body_bytes: int

    @classmethod
    def read(cls, config: JsonObject) -> "Judgement":
        """Read what the configuration wants of an answer."""
        expected = get_texts(config, "expected_status") or ("200-299",)
        return cls(
            expected=expected,
            ranges=tuple(_range(entry) for entry in expected),
            versions=get_texts(config, "expected_http_versions"),
            fail_if_ssl=get_bool(config, "fail_if_ssl"),
            fail_if_not_ssl=get_bool(config, "fail_if_not_ssl"),
            smallest=get_number(config, "response_size_min"),
            largest=get_number(config, "response_size_max"),
            warn_days=get_number(config, "certificate_warn_days"),
            critical_days=get_number(config, "certificate_critical_days"),
            assertions=get_objects(config, "assertions"),
            save_response=get_text(config, "save_response", "failed"),
            evidence_body_bytes=get_int(config, "evidence_body_bytes", 1024),
        )

    def findings(self, response: HttpResponse, now: datetime) -> list[Finding]:
        """Return everything that is not as it should be; raise ConfigurationError."""
        findings: list[Finding] = []
        if not any(low <= response.status_code <= high for low, high in self.ranges):
            wanted = ", ".join(self.expected)
            findings.append(_down(f"status {response.status_code}, expected {wanted}"))
        findings += self._transport(response)
        findings += self._size(response)
        days = certificate_days(response.tls, now)
        if days is not None:
            findings += self._certificate(days)
        if self.assertions:
            answer = Answer(
                status_code=response.status_code,
                headers=response.headers,
                body=response.body,
                response_time_ms=response.phases.total * 1000,
                certificate_days=days,
            )
            findings += judge_assertions(self.assertions, answer)
        return findings

    def message(self, response: HttpResponse, findings: list[Finding]) -> str:
        """Sum up in a sentence, the worst first."""
        if not findings:
            return f"{response.status_code} in {response.phases.total * 1000:.0f} ms"
        worst_first = sorted(findings, key=lambda finding: finding.severity != "down")
        shown = "; ".join(finding.message for finding in worst_first[:SHOWN_FINDINGS])
        more = len(findings) - SHOWN_FINDINGS
        return f"{shown}; and {more} more" if more > 0 else shown

    def is_brief(self, state: CheckState) -> bool:
        """Whether the evidence may leave out what only a failure makes interesting."""
        return state is CheckState.UP and self.save_response != "always"

    def body_bytes(self, state: CheckState) -> int:
        """How much of the body to keep as evidence."""
        is_failed = state is not CheckState.UP
        is_kept = self.save_response == "always" or (self.save_response == "failed" and is_failed)
        return self.evidence_body_bytes if is_kept else 0

    def _transport(self, response: HttpResponse) -> list[Finding]:
        findings = []
        if self.versions and response.version not in self.versions:
            wanted = ", ".join(self.versions)
            findings.append(_down(f"HTTP/{response.version}, expected {wanted}"))
        if self.fail_if_ssl and response.tls is not None:
            findings.append(_down("the answer came over TLS"))
        if self.fail_if_not_ssl and response.tls is None:
            findings.append(_down("the answer came without TLS"))
        return findings

    def _size(self, response: HttpResponse) -> list[Finding]:
        size = len(response.body)
        if response.body_truncated:
            size = max(size + 1, response.content_length)
        if self.smallest is not None and size < self.smallest:
            return [_down(f"the body has {size} bytes, expected at least {self.smallest:.0f}")]
        if self.largest is not None and size > self.largest:
            return [_down(f"the body has {size} bytes, expected at most {self.largest:.0f}")]
        return []

    def _certificate(self, days: float) -> list[Finding]:
        ends = f"a certificate of the chain ends in {days:.1f} days"
        if self.critical_days is not None and days < self.critical_days:
            return [_down(ends)]
        if self.warn_days is not None and days < self.warn_days:
            return [Finding(severity="degraded", message=ends)]
        return []


def _down(message: str) -> Finding:
    return Finding(severity="down", message=message)


def _range(entry: str) -> tuple[int, int]:
    low, _, high = entry.partition("-")
    return int(low), int(high or low)
