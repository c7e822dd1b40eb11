"""``query``, ``query_range`` and what is said about expressions themselves."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpRequest

from apps.series.selectors.queries import QueryOptions, Timed, query_instant, query_range
from detectviz.clock import to_ms, utc_now
from detectviz.doors.parameters import ParameterError, Parameters, parse_duration_parameter_s
from detectviz.doors.prometheus import PrometheusView, Success
from detectviz.promql.errors import ParseError
from detectviz.promql.formatting import format_expression
from detectviz.promql.json_rows import json_bytes, result_bytes
from detectviz.promql.parser import parse
from detectviz.promql.results import Matrix, Result, Vector
from detectviz.promql.tree_json import tree_json
from detectviz.runtime.bridge import GONE_KEY

TRUNCATED = "results truncated due to limit"
MOST_STEPS = 11_000
_BACKEND = "backend"
_FORMS = frozenset({"GET", "HEAD", "POST"})
_S = 1000


class InstantView(PrometheusView):
    """``api/v1/query``."""

    methods = _FORMS

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Evaluate at one time."""
        parameters = self.parameters
        limit = parameters.limit()
        at_ms = parameters.time_ms("time", to_ms(utc_now()))
        options = _options(request, parameters)
        try:
            found = query_instant(
                tenant=self.org.uid, promql=parameters.text("query"), at_ms=at_ms, options=options
            )
        except ParseError as error:
            raise ParameterError.named("query", error) from None
        return _success(found, limit, parameters.text("stats"))


class RangeView(PrometheusView):
    """``api/v1/query_range``."""

    methods = _FORMS

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Evaluate at every step."""
        parameters = self.parameters
        limit = parameters.limit()
        start_ms, end_ms, step_ms = _steps(parameters)
        options = _options(request, parameters)
        try:
            found = query_range(
                tenant=self.org.uid,
                promql=parameters.text("query"),
                start_ms=start_ms,
                end_ms=end_ms,
                step_ms=step_ms,
                options=options,
            )
        except ParseError as error:
            raise ParameterError.named("query", error) from None
        return _success(found, limit, parameters.text("stats"))


class FormatView(PrometheusView):
    """``api/v1/format_query``."""

    methods = _FORMS

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Return the expression in its usual spelling."""
        return Success(data=format_expression(_parsed(self.parameters)))


class ParseView(PrometheusView):
    """``api/v1/parse_query``."""

    methods = _FORMS

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Return the syntax tree."""
        return Success(data=tree_json(_parsed(self.parameters)))


def _parsed(parameters: Parameters) -> Any:
    try:
        return parse(parameters.text("query"))
    except ParseError as error:
        raise ParameterError.named("query", error) from None


def _steps(parameters: Parameters) -> tuple[int, int, int]:
    start_ms, end_ms = parameters.time_ms("start"), parameters.time_ms("end")
    if end_ms < start_ms:
        raise ParameterError.named("end", "end timestamp must not be before start time")
    step_ms = parameters.duration_ms("step")
    if step_ms <= 0:
        raise ParameterError.named(
            "step",
            "zero or negative query resolution step widths are not accepted."
            " Try a positive integer",
        )
    if (end_ms - start_ms) // step_ms > MOST_STEPS:
        raise ParameterError(
            f"exceeded maximum resolution of {MOST_STEPS:,} points per timeseries."
            " Try decreasing the query resolution (?step=XX)"
        )
    return start_ms, end_ms, step_ms


def _options(request: HttpRequest, parameters: Parameters) -> QueryOptions:
    lookback_ms = 0
    if parameters.text("lookback_delta"):
        try:
            lookback_ms = round(parse_duration_parameter_s(parameters.text("lookback_delta")) * _S)
        except ValueError as error:
            raise ParameterError(f"error parsing lookback delta duration: {error}") from None
        if lookback_ms <= 0:
            raise ParameterError("invalid lookback delta: it must be longer than 0")
    timeout_s = parameters.duration_s("timeout") if parameters.text("timeout") else None
    if timeout_s is not None and timeout_s < 0:
        raise ParameterError.named("timeout", "it must not be negative")
    return QueryOptions(
        timeout_s=timeout_s,
        lookback_ms=lookback_ms,
        gone=request.META.get(GONE_KEY),
        push_down=_is_pushed_down(parameters),
    )


def _is_pushed_down(parameters: Parameters) -> bool:
    engine = parameters.text("engine")
    if engine not in {"", "own", _BACKEND}:
        raise ParameterError.named("engine", f'it must be "own" or "{_BACKEND}"')
    if engine == _BACKEND and parameters.text("lookback_delta"):
        raise ParameterError.named("lookback_delta", "the backend's own engine decides")
    return engine == _BACKEND


def _success(found: Timed, limit: int, stats: str) -> Success:
    result, is_cut = _limited(found.result, limit)
    data = b"{" + result_bytes(result)
    if stats:
        data += b',"stats":' + json_bytes(_stats(found))
    warnings = [*result.warnings, *([TRUNCATED] if is_cut else [])]
    return Success(data=data + b"}", warnings=warnings, infos=result.infos)


def _limited(result: Result, limit: int) -> tuple[Result, bool]:
    value = result.value
    if not limit or not isinstance(value, Vector | Matrix) or len(value) <= limit:
        return result, False
    natives = None if value.histograms is None else value.histograms[:limit]
    cut: dict[str, Any] = {
        "labels": value.labels[:limit],
        "values": value.values[:limit],
        "histograms": natives,
    }
    if isinstance(value, Matrix):
        cut["present"] = value.present[:limit]
    return replace(result, value=replace(value, **cut)), True


def _stats(found: Timed) -> Mapping[str, Any]:
    return {
        "timings": {
            "evalTotalTime": found.took_s,
            "resultSortTime": 0,
            "queryPreparationTime": 0,
            "innerEvalTime": found.took_s,
            "execQueueTime": 0,
            "execTotalTime": found.took_s,
        },
        "samples": {
            "totalQueryableSamples": found.result.samples,
            "peakSamples": found.result.samples,
        },
    }
