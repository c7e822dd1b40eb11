"""The in-process bus: handlers run in the publisher's transaction, in order of registration."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

E = TypeVar("E")
Handler = Callable[[E], None]

_handlers: dict[type[Any], list[Handler[Any]]] = defaultdict(list)


def subscribe(event: type[E]) -> Callable[[Handler[E]], Handler[E]]:
    """Register the decorated function for one event class (import it in ``AppConfig.ready``)."""

    def register(handler: Handler[E]) -> Handler[E]:
        if handler not in _handlers[event]:
            _handlers[event].append(handler)
        return handler

    return register


def publish(event: object) -> None:
    """Call every handler of the event's class; an exception rolls the publisher back."""
    for handler in _handlers[type(event)]:
        handler(event)
