"""Run queries of an org's datasources."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import connections, models
from prometheus_client import Counter, Histogram

from apps.datasources.selectors import ResolvedDatasource, datasource_resolve
from apps.datasources.services.calls import masked
from apps.datasources.services.contexts import datasource_context
from apps.extensions.selectors import plugin_client, plugin_manifest
from detectviz.contracts.datasource import DataQuery
from detectviz.contracts.errors import PluginError
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.permissions.access import Access
from detectviz.pluginhost.configuration import validate
from detectviz.pluginhost.errors import (
    PluginHostError,
    RequestCancelledError,
    RequestFailedError,
)
from detectviz.pluginhost.registry import Running
from detectviz.queries.breaker import Breakers
from detectviz.queries.caps import Caps
from detectviz.queries.errors import CancelledError, QueryFailure, RefusedQueryError
from detectviz.queries.executor import Control, Executor, Source
from detectviz.queries.model import Query, QueryRequest, Results
from detectviz.queries.slots import SlotLimits, Slots
from detectviz.queries.variables.builtins import builtin_variables
from detectviz.queries.variables.interpolation import interpolate_model
from detectviz.resources.errors import ForbiddenError, NotFoundError

PERMISSION = "datasources:query"

queries_total = Counter(
    "detectviz_datasource_queries",
    "Queries of datasources, by plugin and how they ended (ok, or the reason of the failure).",
    ["type", "outcome"],
)
query_duration = Histogram(
    "detectviz_datasource_query_duration_seconds",
    "How long datasources took to answer a query, by plugin.",
    ["type"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)

_executors: dict[int, Executor] = {}  # by process: threads do not survive a fork


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One query and the datasource it goes to."""

    org: models.Model
    resolved: ResolvedDatasource
    running: Running
    data: DataQuery


def queries_run(
    *,
    org: models.Model,
    access: Access | None,
    request: QueryRequest,
    is_gone: Callable[[], bool] = lambda: False,
    adapt: Callable[[JsonObject, JsonObject], JsonObject] | None = None,
) -> Results:
    """Return an outcome for each query of ``request``; raises nothing for what a query is.

    ``access`` of None asks as the platform itself, for rules. Each datasource needs
    ``datasources:query``. ``is_gone`` is asked while queries run: true stops them. ``adapt``
    makes a model of another spelling fit the plugin's query schema, its second argument.
    Errors have no secrets in them.
    """
    longest_s = float(settings.DATASOURCE_QUERY_TIMEOUT_S)
    return query_executor().run(
        request,
        org=org.pk,
        prepare=lambda query: _source(org, access, request, query, adapt),
        timeout_s=min(request.timeout_s or longest_s, longest_s),
        is_gone=is_gone,
    )


def query_schema(*, org: models.Model, ref: str) -> JsonObject:
    """Return what the plugin of a datasource reads as a query; raise NotFoundError."""
    resolved = datasource_resolve(org=org, ref=ref)
    try:
        return plugin_manifest(PluginKind.DATASOURCE, resolved.plugin).query_schema
    except PluginHostError as error:
        raise NotFoundError(str(error)) from error


def query_problem(*, org: models.Model, query: Query) -> tuple[str, str] | None:
    """Return the field (``datasource``, ``model``) and why a query can't be asked, or None.

    Nothing is asked: the datasource must be there, and the model be what its plugin reads.
    """
    try:
        resolved = datasource_resolve(org=org, ref=query.datasource)
    except NotFoundError as error:
        return "datasource", error.message
    try:
        schema = plugin_manifest(PluginKind.DATASOURCE, resolved.plugin).query_schema
    except PluginHostError as error:
        return "datasource", str(error)
    try:
        _model(query.model, schema, QueryRequest(queries=(query,)), query)
    except QueryFailure as error:
        return "model", error.message
    return None


def query_executor() -> Executor:
    """Return this process's executor, made by the settings of the moment."""
    executor = _executors.get(os.getpid())
    if executor is None:
        limits = SlotLimits(
            total=settings.DATASOURCE_QUERIES,
            per_org=settings.DATASOURCE_QUERIES_PER_ORG,
            per_source=settings.DATASOURCE_QUERIES_PER_SOURCE,
        )
        breakers = Breakers(
            failures=settings.DATASOURCE_BREAKER_FAILURES, rest_s=settings.DATASOURCE_BREAKER_REST_S
        )
        caps = Caps(rows=settings.DATASOURCE_MAX_ROWS, bytes=settings.DATASOURCE_MAX_BYTES)
        made = Executor(slots=Slots(limits), breakers=breakers, caps=caps)
        executor = _executors.setdefault(os.getpid(), made)
    return executor


def query_executor_forget() -> None:
    """Have the next request make an executor anew, with closed circuits."""
    _executors.clear()


def _source(
    org: models.Model,
    access: Access | None,
    request: QueryRequest,
    query: Query,
    adapt: Callable[[JsonObject, JsonObject], JsonObject] | None,
) -> Source:
    resolved = _resolved(org, access, query)
    try:
        # Here and not in the query's thread: whether a plugin is enabled stands in the database.
        running = plugin_client().running(PluginKind.DATASOURCE, resolved.plugin, org=str(org))
        schema = plugin_manifest(PluginKind.DATASOURCE, resolved.plugin).query_schema
    except PluginHostError as error:
        raise _unusable(error) from error
    data = DataQuery(
        ref_id=query.ref_id,
        model=_model(
            query.model if adapt is None else adapt(query.model, schema), schema, request, query
        ),
        range=query.range,
        interval_ms=query.interval_ms,
        max_points=query.max_points,
    )
    call = _Call(org=org, resolved=resolved, running=running, data=data)
    return Source(
        key=(org.pk, resolved.uid, resolved.settings.version),
        name=resolved.title,
        ask=lambda _, control: _measured(call, control),
    )


def _resolved(org: models.Model, access: Access | None, query: Query) -> ResolvedDatasource:
    try:
        resolved = datasource_resolve(org=org, ref=query.datasource)
        if access is not None:
            access.require(PERMISSION, resolved.row)
    except (NotFoundError, ForbiddenError) as error:
        raise RefusedQueryError(error.message, status=error.status_code) from error
    return resolved


def _model(
    model: JsonObject, schema: JsonObject, request: QueryRequest, query: Query
) -> JsonObject:
    """Put variables in, then check and complete what came of it."""
    known = builtin_variables(query.range, query.interval_ms)
    filled = interpolate_model(model, schema, {**request.variables, **known})
    outcome = validate(schema, filled, {})
    if outcome.problems:
        raise RefusedQueryError(
            "; ".join(
                f"{each.field.lstrip('/').replace('/', '.') or 'query'}: {each.message}"
                for each in outcome.problems
            )
        )
    return outcome.config


def _measured(call: _Call, control: Control) -> Sequence[Frame]:
    plugin = call.resolved.plugin
    outcome = "failed"
    try:
        with query_duration.labels(plugin).time():
            frames = _asked(call, control)
        outcome = "ok"
    except QueryFailure as error:
        outcome = error.reason
        raise
    finally:
        queries_total.labels(plugin, outcome).inc()
        _leave_databases()
    return frames


def _asked(call: _Call, control: Control) -> Sequence[Frame]:
    resolved = call.resolved
    secrets = resolved.settings.secrets
    try:
        context = datasource_context(
            org=call.org,
            resolved=resolved,
            timeout_s=control.left_s(),
            is_cancelled=control.is_cancelled,
        )
        frames: Sequence[Frame] = plugin_client().call_on(
            call.running,
            "query",
            lambda plugin: plugin.query(call.data, context),
            org=str(getattr(call.org, "name", "")),
            is_cancelled=control.is_cancelled,
        )
    except RequestCancelledError as error:
        raise CancelledError("the query was stopped") from error
    except RequestFailedError as error:
        raise _failure(error, secrets) from error
    except PluginHostError as error:
        raise _unusable(error) from error
    return [_clean(frame, secrets) for frame in frames]


def _failure(error: RequestFailedError, secrets: Any) -> PluginError:
    """Return what the plugin raised; what it did not foresee may hold anything and is not told."""
    cause = error.__cause__
    if not isinstance(cause, PluginError):
        return PluginError("the datasource's plugin broke; the server's log says why")
    cause.message = masked(cause.message, secrets)
    return cause


def _unusable(error: PluginHostError) -> QueryFailure:
    failure = QueryFailure(str(error), status=int(HTTPStatus.SERVICE_UNAVAILABLE))
    failure.reason = "plugin"
    return failure


def _clean(frame: Frame, secrets: Any) -> Frame:
    if not any(secret and secret in frame.executed_query for secret in secrets.values()):
        return frame
    return replace(frame, executed_query=masked(frame.executed_query, secrets))


def _leave_databases() -> None:
    """Close what this thread opened: nobody else would."""
    for connection in connections.all(initialized_only=True):
        connection.close()
