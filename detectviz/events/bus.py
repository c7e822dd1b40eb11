"""The in-process bus: handlers run in the publisher's transaction, in order of registration."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

E = TypeVar("E")
Handler = Callable[[E], None]
BatchHandler = Callable[[Sequence[E]], None]

_handlers: dict[type[Any], list[BatchHandler[Any]]] = defaultdict(list)


def subscribe(event: type[E]) -> Callable[[Handler[E]], Handler[E]]:
    """Register the decorated function for one event class (import it in ``AppConfig.ready``)."""

    def register(handler: Handler[E]) -> Handler[E]:
        def each(events: Sequence[E]) -> None:
            for one in events:
                handler(one)

        _handlers[event].append(each)
        return handler

    return register


def subscribe_batches(event: type[E]) -> Callable[[BatchHandler[E]], BatchHandler[E]]:
    """Register a function that takes all events of one ``publish`` at once, in their order."""

    def register(handler: BatchHandler[E]) -> BatchHandler[E]:
        _handlers[event].append(handler)
        return handler

    return register


def publish(*events: object) -> None:
    """Call every handler of the events' classes; an exception rolls the publisher back."""
    by_class: dict[type[Any], list[object]] = defaultdict(list)
    for event in events:
        by_class[type(event)].append(event)
    for event_class, some in by_class.items():
        for handler in _handlers[event_class]:
            handler(some)
