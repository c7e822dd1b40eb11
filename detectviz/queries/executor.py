"""Run the queries of a request side by side, then compute its expressions."""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from detectviz.contracts.errors import DeadlineExceededError, NetworkError, PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.queries.breaker import Breakers
from detectviz.queries.caps import Caps, capped
from detectviz.queries.errors import (
    CancelledError,
    DependencyError,
    ExpressionError,
    QueryFailure,
    TimedOutError,
)
from detectviz.queries.expressions.commands import Command, read_command
from detectviz.queries.expressions.conversion import frames_of, values_of
from detectviz.queries.expressions.ordering import ordered
from detectviz.queries.expressions.values import Values
from detectviz.queries.model import Outcome, Query, QueryRequest, Results
from detectviz.queries.slots import Slots

SILENT_S = 5.0  # who asks with a short deadline learns nothing about the datasource
_LOOK_S = 0.05

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What a running query must heed: when it ends, and whether somebody still waits."""

    deadline_s: float
    is_cancelled: Callable[[], bool]

    def left_s(self) -> float:
        """Return the seconds left, at least a little."""
        return max(0.001, self.deadline_s - time.monotonic())


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How to ask one query's datasource. ``key`` is its identity, ``name`` what users call it.

    ``ask`` runs in a thread; it raises PluginError, or QueryFailure.
    """

    key: Hashable
    name: str
    ask: Callable[[Query, Control], Sequence[Frame]]


Prepare = Callable[[Query], Source]
"""Finds a query's datasource in the caller's thread; raises QueryFailure."""


@dataclass(slots=True)
class _Run:
    """One request under way."""

    org: Hashable
    deadline_s: float
    stop: threading.Event = field(default_factory=threading.Event)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    pending: dict["Future[Outcome]", Query] = field(default_factory=dict)


class Executor:
    """Runs requests; made once per process, called from many threads."""

    def __init__(self, *, slots: Slots, breakers: Breakers, caps: Caps) -> None:
        self._slots = slots
        self._breakers = breakers
        self._caps = caps

    def run(
        self,
        request: QueryRequest,
        *,
        org: Hashable,
        prepare: Prepare,
        timeout_s: float,
        is_gone: Callable[[], bool] = lambda: False,
    ) -> Results:
        """Return an outcome for each query; one's failure is no other's, but for expressions.

        ``is_gone`` is asked in this thread, every 50 ms: when nobody waits any more, or the time
        is over, what runs is told to stop and the rest is not begun.
        """
        run = _Run(org=org, deadline_s=time.monotonic() + timeout_s)
        commands = self._read(request, run)
        needed = _needed(request, commands)
        for query in request.queries:
            if query.ref_id in run.outcomes or query.is_expression:
                continue
            if not query.is_hidden or query.ref_id in needed:
                self._begin(query, prepare, run)
        self._wait(run, is_gone)
        self._compute(request, commands, run)
        found = {
            query.ref_id: replace(run.outcomes[query.ref_id], is_hidden=query.is_hidden)
            for query in request.queries
            if query.ref_id in run.outcomes
        }
        return Results(found)

    def _read(self, request: QueryRequest, run: _Run) -> dict[str, Command]:
        commands: dict[str, Command] = {}
        known = {query.ref_id for query in request.queries}
        for query in request.queries:
            if not query.is_expression:
                continue
            try:
                commands[query.ref_id] = _command(query, known)
            except ExpressionError as error:
                run.outcomes[query.ref_id] = Outcome(ref_id=query.ref_id, error=error)
        return commands

    def _begin(self, query: Query, prepare: Prepare, run: _Run) -> None:
        control = Control(deadline_s=run.deadline_s, is_cancelled=run.stop.is_set)
        try:
            source = prepare(query)
            future = self._slots.submit(
                lambda: self._ask(query, source, control), org=run.org, source=source.key
            )
        except QueryFailure as error:
            run.outcomes[query.ref_id] = Outcome(ref_id=query.ref_id, error=error)
        else:
            run.pending[future] = query

    def _ask(self, query: Query, source: Source, control: Control) -> Outcome:
        began = time.perf_counter()
        try:
            frames = self._answer(query, source, control)
        except QueryFailure as error:
            return Outcome(ref_id=query.ref_id, error=error, took_s=time.perf_counter() - began)
        return Outcome(ref_id=query.ref_id, frames=frames, took_s=time.perf_counter() - began)

    def _answer(self, query: Query, source: Source, control: Control) -> tuple[Frame, ...]:
        key, began_s = source.key, time.monotonic()
        self._breakers.enter(key, source.name)
        try:
            frames = source.ask(query, control)
        except PluginError as error:
            self._judge(key, error, control, began_s)
            raise _failure(error) from error
        except QueryFailure as error:
            self._judge(key, error, control, began_s)
            raise
        except BaseException:
            self._breakers.fail(key, "it broke; the server's log says why")
            raise
        self._breakers.succeed(key)
        named = [replace(each, ref_id=each.ref_id or query.ref_id) for each in frames]
        return tuple(capped(named, self._caps))

    def _judge(
        self, key: Hashable, error: PluginError | QueryFailure, control: Control, began_s: float
    ) -> None:
        now_s = time.monotonic()
        if isinstance(error, QueryError):
            self._breakers.succeed(key)
        elif now_s >= control.deadline_s and now_s - began_s >= SILENT_S:
            self._breakers.fail(key, f"no answer within {now_s - began_s:.0f} s")
        elif control.is_cancelled() or isinstance(error, QueryFailure) or error.permanent:
            self._breakers.leave(key)
        else:
            self._breakers.fail(key, error.message)

    def _wait(self, run: _Run, is_gone: Callable[[], bool]) -> None:
        while run.pending:
            left_s = run.deadline_s - time.monotonic()
            done, _ = wait(
                run.pending, timeout=max(0.0, min(_LOOK_S, left_s)), return_when=FIRST_COMPLETED
            )
            for future in done:
                query = run.pending.pop(future)
                run.outcomes[query.ref_id] = _outcome(future, query)
            if run.pending and is_gone():
                self._abandon(run, lambda: CancelledError("nobody waits for the answer any more"))
            elif run.pending and left_s <= 0:
                self._abandon(
                    run, lambda: TimedOutError("the time allowed for the request is over")
                )

    def _abandon(self, run: _Run, why: Callable[[], QueryFailure]) -> None:
        run.stop.set()
        for future, query in run.pending.items():
            future.cancel()
            run.outcomes[query.ref_id] = Outcome(ref_id=query.ref_id, error=why())
        run.pending.clear()

    def _compute(self, request: QueryRequest, commands: Mapping[str, Command], run: _Run) -> None:
        try:
            order = ordered({name: command.needs for name, command in commands.items()})
        except ExpressionError as error:
            for name in commands:
                run.outcomes[name] = Outcome(ref_id=name, error=error)
            return
        values: dict[str, Values] = {}
        for name in order:
            if name in commands:
                run.outcomes[name] = self._computed(name, commands[name], values, run)

    def _computed(
        self, name: str, command: Command, values: dict[str, Values], run: _Run
    ) -> Outcome:
        began = time.perf_counter()
        try:
            if time.monotonic() > run.deadline_s:
                raise TimedOutError("the time allowed for the request is over")
            for need in command.needs:
                if need not in values:
                    values[need] = _values(need, name, run.outcomes)
            values[name] = command.run(values)
            frames = capped(frames_of(values[name], name), self._caps)
        except QueryFailure as error:
            return Outcome(ref_id=name, error=error, took_s=time.perf_counter() - began)
        return Outcome(ref_id=name, frames=tuple(frames), took_s=time.perf_counter() - began)


def _command(query: Query, known: set[str]) -> Command:
    command = read_command(query.model, query.range)
    for name in command.needs:
        if name not in known:
            raise ExpressionError(f"there is no query {name} to refer to")
    return command


def _needed(request: QueryRequest, commands: Mapping[str, Command]) -> set[str]:
    """Return the ref ids that expressions to be shown need, directly or not."""
    needed: set[str] = set()
    ahead = [
        name
        for query in request.queries
        if query.ref_id in commands and not query.is_hidden
        for name in commands[query.ref_id].needs
    ]
    while ahead:
        name = ahead.pop()
        if name not in needed:
            needed.add(name)
            ahead += commands[name].needs if name in commands else ()
    return needed


def _values(need: str, name: str, outcomes: Mapping[str, Outcome]) -> Values:
    outcome = outcomes[need]
    if outcome.error is not None:
        raise DependencyError(
            f"did not compute {name}: {need}, which it needs, failed: {outcome.error.message}"
        )
    return values_of(outcome.frames)


def _outcome(future: "Future[Outcome]", query: Query) -> Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    logger.error("a query broke", exc_info=error)
    return Outcome(
        ref_id=query.ref_id,
        error=QueryFailure(
            "the datasource's plugin broke; the server's log says why",
            status=int(HTTPStatus.INTERNAL_SERVER_ERROR),
        ),
    )


def _failure(error: PluginError) -> QueryFailure:
    if isinstance(error, QueryError):
        failure = QueryFailure(error.message, status=error.status)
        failure.reason = "bad_query"
        return failure
    if isinstance(error, DeadlineExceededError):
        return TimedOutError(error.message)
    failure = QueryFailure(error.message)
    failure.reason = "network" if isinstance(error, NetworkError) else "datasource"
    return failure
