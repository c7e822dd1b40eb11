"""The HTTP collector: one exchange, judged."""

from dataclasses import dataclass, replace
from typing import Final

from detectviz.contracts.collector import CheckResult, CollectorContext
from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.errors import CertificateError, NetworkError
from detectviz.contracts.network import HttpRequest, HttpResponse
from detectviz.contracts.oauth2 import TokenCache
from detectviz.contracts.types import CheckState, JsonObject, JsonValue
from plugins.collectors.http.judgement import Judgement
from plugins.collectors.http.oauth2 import client_credentials
from plugins.collectors.http.report import (
    answer_evidence,
    failure_metrics,
    request_line,
    success_metrics,
    tls_evidence,
)
from plugins.collectors.http.request import bearer_header, build_request, bust_caches

OAUTH2: Final = "oauth2_client_credentials"
UNAUTHORISED: Final = 401
MOST_PLANS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A configuration read once, for as long as the host hands over the same object."""

    config: JsonObject
    secrets: dict[str, str]
    request: HttpRequest
    judgement: Judgement
    is_oauth2: bool
    is_cache_busting: bool


class HttpCollector:
    """Requests a URL and judges the answer."""

    def __init__(self) -> None:
        self._tokens = TokenCache()
        self._plans: dict[int, _Plan] = {}

    async def check(self, context: CollectorContext) -> CheckResult:
        """Run one exchange; raise PluginError when nothing can be said about the target."""
        plan = self._plan(context)
        request = await self._request(plan, context)
        try:
            response = await context.network.fetch(request)
        except NetworkError as error:
            if error.permanent:
                raise
            return _failed(request, error)
        if plan.is_oauth2 and response.status_code == UNAUTHORISED:
            self._tokens.forget(client_credentials(context))
        return _judged(plan.judgement, context, request, response)

    def _plan(self, context: CollectorContext) -> _Plan:
        config, secrets = context.config, context.secrets
        known = self._plans.get(id(config))
        is_same = known is not None and known.config is config and known.secrets == secrets
        if known is not None and is_same and known.request.timeout_s == context.timeout_s:
            return known
        made = _Plan(
            config=config,
            secrets=dict(secrets),
            request=build_request(context),
            judgement=Judgement.read(config),
            is_oauth2=get_text(config, "auth", "none") == OAUTH2,
            is_cache_busting=get_bool(config, "cache_bust"),
        )
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        self._plans[id(config)] = made
        return made

    async def _request(self, plan: _Plan, context: CollectorContext) -> HttpRequest:
        request = plan.request
        if plan.is_cache_busting:
            request = replace(request, url=bust_caches(request.url))
        if plan.is_oauth2:
            started = context.monotonic()
            token = await self._tokens.token(
                client_credentials(context),
                network=context.network,
                monotonic=context.monotonic,
                timeout_s=context.timeout_s,
            )
            left_s = max(0.001, context.timeout_s - (context.monotonic() - started))
            header = ("Authorization", bearer_header(token))
            request = replace(request, headers=(*request.headers, header), timeout_s=left_s)
        return request


def _failed(request: HttpRequest, error: NetworkError) -> CheckResult:
    report = error.report if isinstance(error, CertificateError) else None
    evidence: dict[str, JsonValue] = {
        "request": request_line(request),
        "phase": error.phase,
        "error": type(error).__name__,
    }
    if report is not None:
        evidence["tls"] = tls_evidence(report)
    return CheckResult(
        state=CheckState.DOWN,
        message=error.message,
        metrics=failure_metrics(report),
        evidence=evidence,
    )


def _judged(
    judgement: Judgement, context: CollectorContext, request: HttpRequest, response: HttpResponse
) -> CheckResult:
    findings = judgement.findings(response, context.now())
    state = CheckState.UP
    if findings:
        is_down = any(finding.severity == "down" for finding in findings)
        state = CheckState.DOWN if is_down else CheckState.DEGRADED
    return CheckResult(
        state=state,
        message=judgement.message(response, findings),
        duration_s=response.phases.total,
        metrics=success_metrics(response, findings),
        evidence=answer_evidence(
            request,
            response,
            findings,
            body_bytes=judgement.body_bytes(state),
            is_brief=judgement.is_brief(state),
        ),
    )
