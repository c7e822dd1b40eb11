"""The client: the way of every call to a plugin, and what its failure means."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from typing import Any, Final, Self, TypeVar

from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost import telemetry
from detectviz.pluginhost.description import PluginDescription, PluginKey, shown
from detectviz.pluginhost.errors import (
    HealthCheckFailedError,
    MethodNotImplementedError,
    PluginHostError,
    RequestCancelledError,
    RequestFailedError,
    UnavailableError,
)
from detectviz.pluginhost.registry import Outcome, Registry, Running
from detectviz.pluginhost.scope import calling_for, current_scope

T = TypeVar("T")
Describer = Callable[[PluginKind, str], PluginDescription]
Opener = Callable[[PluginDescription], Running]
Switch = Callable[[PluginKey, str | None], bool]

HEALTH_OPERATION: Final = "check_health"
_MOST_REPLACEMENTS: Final = 3

logger = logging.getLogger(__name__)


class PluginClient:
    """Routes calls: store, registry, instance.

    ``describe`` asks the store, ``open_`` loads what does not run yet, ``is_enabled`` says
    whether a plugin may be used for an org (its name; None is the deployment).
    """

    def __init__(
        self, registry: Registry, *, describe: Describer, open_: Opener, is_enabled: Switch
    ) -> None:
        self._registry = registry
        self._describe = describe
        self._open = open_
        self._is_enabled = is_enabled

    def running(self, kind: PluginKind, name: str, *, org: str | None = None) -> Running:
        """Return the executing instance a call for ``org`` would reach, loading it if need be.

        Raise NotRegisteredError or UnavailableError (BrokenPluginError is one).
        """
        running = self._registry.find((kind, name))
        if running is not None and self._is_enabled(running.plugin.key, org):
            return running
        try:
            plugin = self._describe(kind, name)
            if not self._is_enabled(plugin.key, org):
                raise _disabled(plugin, org if self._is_enabled(plugin.key, None) else None)
            return self._open(plugin)
        except PluginHostError as error:
            # Names that are no plugin's come from outside and become no label.
            label = name if isinstance(error, UnavailableError) else "unknown"
            telemetry.errors_total.labels(kind.value, label, type(error).__name__).inc()
            raise

    def enter(self, kind: PluginKind, name: str, *, org: str | None = None) -> Running:
        """Begin a call and return what it is on; whoever called must ``leave`` it.

        An instance that is replaced at this moment gives way to the new one. Raise as ``running``.
        """
        for _ in range(_MOST_REPLACEMENTS):
            running = self.running(kind, name, org=org)
            if running.try_enter():
                return running
        running.enter()
        return running

    def instance(self, kind: PluginKind, name: str, *, org: str | None = None) -> Any:
        """Return the instance for callers that count their calls themselves, in batches.

        Raise as ``running`` does.
        """
        return self.running(kind, name, org=org).instance

    def count(
        self, kind: PluginKind, name: str, outcome: Outcome, *, took_s: float, executions: int
    ) -> None:
        """Count calls of an ``instance`` that ended alike; ``took_s`` is the sum of durations."""
        self._registry.ledger((kind, name)).count(outcome, took_s=took_s, executions=executions)
        telemetry.executions_count(kind.value, name, outcome, took_s=took_s, executions=executions)

    def call(
        self,
        kind: PluginKind,
        name: str,
        operation: str,
        work: Callable[[Any], T],
        *,
        org: str | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> T:
        """Return what ``work`` makes of the plugin's instance; counted under the plugin's name.

        ``operation`` is the method of the contract that ``work`` calls. Raise NotRegisteredError,
        UnavailableError, MethodNotImplementedError, RequestCancelledError (``is_cancelled`` was
        true when it failed) or RequestFailedError (its ``__cause__`` is what the plugin raised).
        """
        return self.call_on(
            self.running(kind, name, org=org),
            operation,
            work,
            org=org,
            is_cancelled=is_cancelled,
        )

    def call_on(
        self,
        running: Running,
        operation: str,
        work: Callable[[Any], T],
        *,
        org: str | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> T:
        """As ``call``, on what ``running`` returned a moment ago, in whichever thread.

        For threads that must not ask the database whether the plugin is enabled.
        """
        if not running.try_enter():
            running = self.enter(*running.plugin.key)
        execution = _Execution(running, operation, is_cancelled)
        with execution, calling_for(org or current_scope()):
            return work(execution.instance)
        raise AssertionError(operation)

    async def call_async(
        self,
        kind: PluginKind,
        name: str,
        operation: str,
        work: Callable[[Any], Awaitable[T]],
        *,
        org: str | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> T:
        """Await what ``work`` makes of the plugin's instance; as ``call``.

        The cancellation of the caller's own task stays asyncio's.
        """
        execution = _Execution(self.enter(kind, name, org=org), operation, is_cancelled)
        with execution, calling_for(org or current_scope()):
            return await work(execution.instance)
        raise AssertionError(operation)

    def check_health(
        self,
        kind: PluginKind,
        name: str,
        work: Callable[[Any], T],
        *,
        org: str | None = None,
    ) -> T:
        """Call ``check_health``; as ``call``, with HealthCheckFailedError for a failure."""
        try:
            return self.call(kind, name, HEALTH_OPERATION, work, org=org)
        except RequestFailedError as error:
            raise HealthCheckFailedError(
                str(error), kind=kind, name=name, permanent=error.permanent
            ) from error.__cause__


class _Execution:
    """A call that was entered: measured, counted, left, its failure translated."""

    def __init__(
        self, running: Running, operation: str, is_cancelled: Callable[[], bool] | None
    ) -> None:
        self._running = running
        self._kind, self._name = running.plugin.key
        self._is_cancelled = is_cancelled
        self._started = 0.0
        self.instance = running.instance
        if not callable(getattr(self.instance, operation, None)):
            running.leave()
            self._count_error(MethodNotImplementedError.__name__)
            raise MethodNotImplementedError(kind=self._kind, name=self._name, operation=operation)

    def __enter__(self) -> Self:
        telemetry.call_begin(self._kind.value, self._name)
        self._started = time.perf_counter()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        took_s = time.perf_counter() - self._started
        self._running.leave()
        telemetry.call_end(self._kind.value, self._name)
        outcome = _outcome(error, self._is_cancelled)
        text = "" if error is None or outcome == "cancelled" else _sentence(error)
        self._running.ledger.count(outcome, took_s=took_s, error=text)
        telemetry.executions_count(self._kind.value, self._name, outcome, took_s=took_s)
        if error is not None:
            self._raise(error, outcome)

    def _raise(self, error: BaseException, outcome: Outcome) -> None:
        if isinstance(error, PluginHostError) or not isinstance(
            error, (Exception, asyncio.CancelledError)
        ):
            return
        if isinstance(error, asyncio.CancelledError) and _is_own_cancellation():
            return
        if outcome == "cancelled":
            self._count_error(RequestCancelledError.__name__)
            message = f"The call of the plugin {self._label} was cancelled."
            raise RequestCancelledError(message, kind=self._kind, name=self._name) from error
        if outcome == "error":
            logger.error("plugin %s raised", self._label, exc_info=error)
        self._count_error(RequestFailedError.__name__)
        raise RequestFailedError(
            _sentence(error),
            kind=self._kind,
            name=self._name,
            permanent=isinstance(error, PluginError) and error.permanent,
        ) from error

    @property
    def _label(self) -> str:
        return shown(self._running.plugin.key)

    def _count_error(self, error: str) -> None:
        telemetry.errors_total.labels(self._kind.value, self._name, error).inc()


def _outcome(error: BaseException | None, is_cancelled: Callable[[], bool] | None) -> Outcome:
    if error is None:
        return "ok"
    if isinstance(error, (asyncio.CancelledError, CancelledError)):
        return "cancelled"
    if is_cancelled is not None and is_cancelled():
        return "cancelled"
    return "failed" if isinstance(error, (PluginError, PluginHostError)) else "error"


def _is_own_cancellation() -> bool:
    """Say whether the task that called is being cancelled, not just something it awaited."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


def _sentence(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return error.message
    return f"{type(error).__name__}: {error}"


def _disabled(plugin: PluginDescription, org: str | None) -> UnavailableError:
    where = f"for the organisation {org}" if org else "on this deployment"
    return UnavailableError(
        f"The plugin {shown(plugin.key)} is switched off {where}; an administrator can enable it.",
        kind=plugin.kind,
        name=plugin.name,
        reason="disabled",
    )
