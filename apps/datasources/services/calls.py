"""One call of a datasource plugin for somebody who waits for it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from django.db import models

from apps.datasources.errors import (
    BusyError,
    NotOfferedError,
    PluginUnusableError,
    RefusedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from apps.datasources.selectors.resolution import ResolvedDatasource
from apps.datasources.services.contexts import datasource_context
from apps.extensions.selectors import plugin_client
from detectviz.contracts.datasource import DatasourceContext, ResourceRequest
from detectviz.contracts.errors import DeadlineExceededError, PluginError, QueryError
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.errors import (
    MethodNotImplementedError,
    PluginHostError,
    RequestFailedError,
)
from detectviz.resources.errors import DomainError

T = TypeVar("T")

TIMEOUT_S: Final = 30.0
MOST_AT_ONCE: Final = 6
MASK: Final = "•••"
_SHORTEST_MASKED: Final = 4

_lock = threading.Lock()
_under_way: Counter[int] = Counter()


def datasource_call(
    *,
    org: models.Model,
    resolved: ResolvedDatasource,
    operation: str,
    work: Callable[[Any, DatasourceContext], T],
    timeout_s: float = TIMEOUT_S,
) -> T:
    """Return what ``work`` makes of the plugin and its context.

    ``operation`` is the method it calls. Raise a DomainError for every failure: its message says
    what the plugin said, without any secret, and its status fits HTTP.
    """
    try:
        with call_place(org.pk):
            context = datasource_context(
                org=org, resolved=resolved, timeout_s=timeout_s, is_cancelled=_never
            )
            return plugin_client().call(
                PluginKind.DATASOURCE,
                resolved.plugin,
                operation,
                lambda plugin: work(plugin, context),
                org=str(org),
            )
    except PluginHostError as error:
        raise domain_error(error, secrets=resolved.settings.secrets) from error


def resource_call(
    *, org: models.Model, resolved: ResolvedDatasource, request: ResourceRequest
) -> JsonObject:
    """Answer a call of the plugin's own resources."""
    return datasource_call(
        org=org,
        resolved=resolved,
        operation="call_resource",
        work=lambda plugin, context: plugin.call_resource(request, context),
    )


def domain_error(error: PluginHostError, *, secrets: Mapping[str, str]) -> DomainError:
    """Return what a failed call means to who asked."""
    if isinstance(error, MethodNotImplementedError):
        return NotOfferedError(str(error))
    if not isinstance(error, RequestFailedError):
        return PluginUnusableError(str(error))
    cause = error.__cause__
    if not isinstance(cause, PluginError):
        # What an unforeseen exception says was not written for people, and may hold anything.
        return UpstreamError(
            "The plugin of this datasource failed; the log of the server says how."
        )
    return plugin_failure(cause, secrets=secrets)


def plugin_failure(error: PluginError, *, secrets: Mapping[str, str]) -> DomainError:
    """Return what a plugin's typed error means to who asked."""
    message = masked(error.message, secrets)
    if isinstance(error, QueryError):
        return RefusedError(message, status_code=error.status)
    if isinstance(error, DeadlineExceededError):
        return UpstreamTimeoutError(message)
    return UpstreamError(message)


def masked(text: str, secrets: Mapping[str, str]) -> str:
    """Return ``text`` without the secrets in it; very short ones would only garble it."""
    for secret in sorted(secrets.values(), key=len, reverse=True):
        if len(secret) >= _SHORTEST_MASKED:
            text = text.replace(secret, MASK)
    return text


@contextmanager
def call_place(org_id: int) -> Iterator[None]:
    """Hold one of the org's places, so that one slow datasource can't hold every thread."""
    with _lock:
        if _under_way[org_id] >= MOST_AT_ONCE:
            raise BusyError(
                f"{MOST_AT_ONCE} calls of datasources are under way in this organisation; "
                "try again in a moment."
            )
        _under_way[org_id] += 1
    try:
        yield
    finally:
        with _lock:
            _under_way[org_id] -= 1
            if not _under_way[org_id]:
                del _under_way[org_id]


def _never() -> bool:
    return False
