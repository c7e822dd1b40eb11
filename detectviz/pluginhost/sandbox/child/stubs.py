"""What a plugin in its own process finds in its context: stand-ins that ask the host."""

import asyncio
import logging
import queue
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar, get_args, get_origin

from detectviz.contracts.datasource import Instances
from detectviz.contracts.types import JsonValue
from detectviz.pluginhost.sandbox.child.codec import Codec, CodecError, is_protocol
from detectviz.pluginhost.sandbox.child.failures import failure_decode
from detectviz.pluginhost.sandbox.child.ports import Method, Port, port_of

T = TypeVar("T")
KEPT_MEMORIES: Final = 1_000
KEPT_INSTANCES: Final = 32
# Given by the host as these words: the child has its own.
CLOCKS: Final = ("now", "monotonic", "is_cancelled")


class Link(Protocol):
    """The way to the host, for one call of the plugin."""

    def ask(self, params: dict[str, Any], answered: Callable[[dict[str, Any]], None]) -> None:
        """Send a request of a service; ``answered`` gets the answer in any thread."""

    def log(self, level: int, message: str) -> None:
        """Send a line of log."""

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for this call any more."""


class CallReferences:
    """What comes in place of ports, clocks and loggers during one call."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._codec = Codec(self)

    @property
    def codec(self) -> Codec:
        """The codec that uses these references."""
        return self._codec

    def give(self, value: object, hint: Any) -> JsonValue:
        """Refuse: a plugin's functions stay in its process."""
        raise CodecError(f"{hint} cannot be handed to the host.")

    def take(self, value: JsonValue, hint: Any) -> object:
        """Return a stand-in for what the host offers under the handle ``value``."""
        if get_origin(hint) is MutableMapping:
            return {}
        if hint is Instances:
            return LocalInstances()
        if isinstance(hint, type) and issubclass(hint, logging.Logger):
            return _logger(self._link)
        if value in CLOCKS:
            return self._clock(str(value))
        if not isinstance(value, dict) or not isinstance(value.get("handle"), int):
            raise CodecError("A service belongs here.")
        if is_protocol(hint):
            return make_stub(port_of(hint), value, self._link, self._codec)
        parameters, returns = get_args(hint)
        return _Function(value["handle"], list(parameters), returns, self._link, self._codec)

    def _clock(self, name: str) -> Callable[[], object]:
        clocks: dict[str, Callable[[], object]] = {
            "now": lambda: datetime.now(UTC),
            "monotonic": time.monotonic,
            "is_cancelled": lambda: self._link.is_cancelled,
        }
        return clocks[name]


def make_stub(port: Port, given: dict[str, Any], link: Link, codec: Codec) -> object:
    """Return an object with the methods and properties of ``port``, answered by the host."""
    stub = _stub_class(port)()
    stub.handle, stub.link, stub.codec = given["handle"], link, codec
    stub.properties = given.get("properties", {})
    return stub


class _Stub:
    handle: int
    link: Link
    codec: Codec
    properties: dict[str, Any]

    def accept(self, method: Method, answer: dict[str, Any]) -> Any:
        if "error" in answer:
            raise failure_decode(answer["error"])
        got = answer.get("result") or {}
        self.properties = got.get("properties") or self.properties
        return self.codec.decode(method.returns, got.get("value"))

    def params(self, method: Method, args: Any, kwargs: Any) -> dict[str, Any]:
        values = method.arguments(args, kwargs)
        encoded = {
            name: self.codec.encode(method.hints[name], value) for name, value in values.items()
        }
        return {"handle": self.handle, "method": method.name, "arguments": encoded}


_classes: dict[type, type[_Stub]] = {}


def _stub_class(port: Port) -> type[_Stub]:
    found = _classes.get(port.protocol)
    if found is None:
        members: dict[str, Any] = {
            name: _async_member(method) if method.is_async else _sync_member(method)
            for name, method in port.methods.items()
        }
        members |= {name: _property(name, hint) for name, hint in port.properties.items()}
        found = _classes[port.protocol] = type(f"Hosted{port.protocol.__name__}", (_Stub,), members)
    return found


def _property(name: str, hint: Any) -> property:
    return property(lambda stub: stub.codec.decode(hint, stub.properties.get(name)))


def _async_member(method: Method) -> Any:
    async def call(stub: _Stub, *args: Any, **kwargs: Any) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[dict[str, Any]] = loop.create_future()

        def settle(answer: dict[str, Any]) -> None:
            if not future.done():
                future.set_result(answer)

        def answered(answer: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(settle, answer)

        stub.link.ask(stub.params(method, args, kwargs), answered)
        return stub.accept(method, await future)

    return call


def _sync_member(method: Method) -> Any:
    def call(stub: _Stub, *args: Any, **kwargs: Any) -> Any:
        return stub.accept(method, ask_and_wait(stub.link, stub.params(method, args, kwargs)))

    return call


def ask_and_wait(link: Link, params: dict[str, Any]) -> dict[str, Any]:
    """Ask the host and block until it answers."""
    answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    link.ask(params, answers.put)
    return answers.get()


@dataclass(slots=True)
class _Function:
    """A function of the host."""

    handle: int
    parameters: list[Any]
    returns: Any
    link: Link
    codec: Codec

    def __call__(self, *args: Any) -> Any:
        encoded = [
            self.codec.encode(hint, value)
            for hint, value in zip(self.parameters, args, strict=True)
        ]
        answer = ask_and_wait(
            self.link, {"handle": self.handle, "method": "", "arguments": encoded}
        )
        if "error" in answer:
            raise failure_decode(answer["error"])
        return self.codec.decode(self.returns, (answer.get("result") or {}).get("value"))


class _LinkHandler(logging.Handler):
    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def emit(self, record: logging.LogRecord) -> None:
        self._link.log(record.levelno, self.format(record))


def _logger(link: Link) -> logging.Logger:
    logger = logging.Logger("plugin", logging.INFO)  # noqa: LOG001 - one for each call, in no registry
    logger.addHandler(_LinkHandler(link))
    return logger


@dataclass(slots=True)
class _Kept:
    value: Any
    close: Callable[[Any], None]


@dataclass(slots=True)
class LocalInstances:
    """contracts' Instances for one version of one datasource, inside the child."""

    kept: list[_Kept] = field(default_factory=list)

    def get(self, factory: Callable[[], T], close: Callable[[T], None]) -> T:
        """Return the kept value, made the first time."""
        if not self.kept:
            self.kept.append(_Kept(factory(), close))
        value: T = self.kept[0].value
        return value

    def close(self) -> None:
        """Close what is kept; never raises."""
        while self.kept:
            kept = self.kept.pop()
            try:
                kept.close(kept.value)
            except Exception:  # noqa: BLE001 - the plugin's own closing, and nobody to tell
                logging.getLogger(__name__).info("closing an instance failed")


class Locals:
    """What a plugin keeps between calls: memories by monitor, instances by datasource."""

    def __init__(self) -> None:
        self._memories: OrderedDict[str, dict[str, object]] = OrderedDict()
        self._instances: OrderedDict[tuple[str, int], LocalInstances] = OrderedDict()

    def fill(self, context: Any) -> Any:
        """Return ``context`` with what was kept for its monitor or datasource."""
        if not is_dataclass(context) or isinstance(context, type):
            return context
        changes: dict[str, Any] = {}
        if hasattr(context, "memory") and hasattr(context, "monitor"):
            changes["memory"] = _recent(self._memories, context.monitor, dict, KEPT_MEMORIES)
        if hasattr(context, "instances") and hasattr(context, "settings"):
            key = (context.settings.uid, context.settings.version)
            for old in [each for each in self._instances if each[0] == key[0] and each != key]:
                self._instances.pop(old).close()
            changes["instances"] = _recent(self._instances, key, LocalInstances, KEPT_INSTANCES)
        return replace(context, **changes) if changes else context


def _recent(kept: OrderedDict[Any, Any], key: Any, make: Callable[[], Any], most: int) -> Any:
    value = kept.pop(key, None)
    if value is None:
        value = make()
        if len(kept) >= most:
            _, oldest = kept.popitem(last=False)
            if isinstance(oldest, LocalInstances):
                oldest.close()
    kept[key] = value
    return value
