"""Middlewares: one verb, ``handle``, before a request is served. They see no credentials.

The host runs them in the order of the configuration, each for at most ``timeout_s``. One that
raises or takes longer lets the request pass if its ``on_failure`` is ``open``, otherwise the host
answers 503.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from detectviz.contracts.cache import CacheConnection
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """What may be known of a request.

    ``org`` is the one its path names ("" for none), ``user_id`` that of the session (None for
    programs, who are recognised later), ``address`` the client's as far as it can be believed.
    ``headers`` are the host's selection, names in lower case; ``is_api``: no page for people.
    """

    method: str
    path: str
    address: str
    org: str
    user_id: int | None
    is_api: bool
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered instead of serving the request. 4xx and 5xx become problem details."""

    status: int
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the request is served (``answer`` is None), and headers for whatever is answered.

    Headers that belong to the host (cookies, content, security policies) are dropped.
    """

    answer: Answer | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """What became of a request; ``bytes`` is None for streams."""

    status: int
    duration_s: float
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MiddlewareContext:
    """Everything one call may use. ``cache`` holds nothing but this plugin's entries.

    ``now_s`` is Unix time in seconds, comparable between processes.
    """

    config: JsonObject
    secrets: Mapping[str, str]
    cache: CacheConnection
    now_s: Callable[[], float]
    timeout_s: float
    logger: logging.Logger


class Middleware(Protocol):
    """A middleware plugin's capability class; constructed once per process, used by threads.

    One that wants to know what became of requests has ``observe`` (Observer) too.
    """

    def handle(self, request: RequestView, context: MiddlewareContext) -> Verdict:
        """Look at a request before it is served; raise PluginError when it cannot be judged."""


class Observer(Protocol):
    """A middleware that is told of answers."""

    def observe(self, request: RequestView, answer: AnswerView, context: MiddlewareContext) -> None:
        """Take note of an answer; nothing it does changes it any more."""
