"""One call of an isolated plugin, from a thread or from an event loop.

Services the child asks for run where the caller is: in its thread, or on its loop. A call that
overruns is cancelled in the child; a child that does not obey is ended, by its own thread.
"""

import asyncio
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from detectviz.contracts.errors import PluginError
from detectviz.pluginhost.sandbox.answers import require_consistent
from detectviz.pluginhost.sandbox.child import wire
from detectviz.pluginhost.sandbox.child.codec import Codec, CodecError
from detectviz.pluginhost.sandbox.child.failures import failure_decode
from detectviz.pluginhost.sandbox.child.ports import Method
from detectviz.pluginhost.sandbox.limits import Limits
from detectviz.pluginhost.sandbox.process import ChildProcess, Message
from detectviz.pluginhost.sandbox.services import Offered

_LOOK_S: Final = 0.1
_CODEC: Final = Codec()


@dataclass(slots=True, kw_only=True)
class Call:
    """One call to make: the method, its arguments by name, and where its logs go."""

    method: Method
    values: Mapping[str, Any]
    limits: Limits
    offered: Offered = field(default_factory=Offered)

    @property
    def timeout_s(self) -> float:
        """Seconds the context allows, and a little."""
        stated = self._of_context("timeout_s")
        allowed = stated if isinstance(stated, (int, float)) else self.limits.default_call_s
        return allowed + self.limits.grace_s

    @property
    def logger(self) -> Any:
        """The logger of the context, None without one."""
        return self._of_context("logger")

    @property
    def is_cancelled(self) -> Callable[[], bool]:
        """How to learn that nobody waits any more."""
        asked: Callable[[], bool] | None = self._of_context("is_cancelled")
        return asked or (lambda: False)

    def _of_context(self, name: str) -> Any:
        return next((getattr(v, name) for v in self.values.values() if hasattr(v, name)), None)

    def message(self, number: int) -> Message:
        """Return the request; raise CodecError for arguments that cannot travel."""
        arguments = {
            name: self.offered.codec.encode(self.method.hints[name], value)
            for name, value in self.values.items()
        }
        params = {"method": self.method.name, "arguments": arguments}
        return wire.request(number, "call", params)

    def item(self, message: Message) -> Any:
        """Return one item of a streamed answer; raise PluginError."""
        try:
            return _CODEC.decode(self.method.streams, message["params"]["arguments"]["value"])
        except (CodecError, KeyError, TypeError) as error:
            raise PluginError(f"The plugin's answer breaks its contract: {error}") from error

    def require_end(self, message: Message) -> None:
        """Raise PluginError unless ``message`` says that all items have been sent."""
        if "ended" in message:
            raise PluginError(f"The plugin's process ended: {message['ended']}")
        if "error" in message:
            raise failure_decode(message["error"])

    def answer(self, message: Message) -> Any:
        """Return what the plugin answered, checked against its contract; raise its PluginError."""
        self.require_end(message)
        try:
            answer = _CODEC.decode(self.method.returns, message.get("result"))
            require_consistent(answer)
        except CodecError as error:
            raise PluginError(
                f"The plugin's answer breaks its contract: {error}", permanent=True
            ) from error
        return answer


def call_blocking(child: ChildProcess, call: Call) -> Any:
    """Make ``call`` and wait for its answer; raise PluginError."""
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    number = child.open(inbox.put, call.logger)
    try:
        child.send(call.message(number))
        message = _wait(child, call, inbox, time.monotonic() + call.timeout_s)
        child.close(number)
        return call.answer(message)
    except wire.FrameError as error:
        raise PluginError(str(error), permanent=True) from error
    finally:
        child.abandon(number)
        if call.offered.has_open:
            asyncio.run(call.offered.close())


def stream_blocking(child: ChildProcess, call: Call) -> Iterator[Any]:
    """Make ``call`` and yield the items of its answer; each has the time of a call."""
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    number = child.open(inbox.put, call.logger)
    try:
        child.send(call.message(number))
        while True:
            message = _wait(child, call, inbox, time.monotonic() + call.timeout_s)
            if message.get("method") != "service":
                break
            yield call.item(message)
            _reply(child, wire.result(message["id"], {"value": None}))
        child.close(number)
        call.require_end(message)
    except wire.FrameError as error:
        raise PluginError(str(error), permanent=True) from error
    finally:
        child.abandon(number)
        if call.offered.has_open:
            asyncio.run(call.offered.close())


def _wait(
    child: ChildProcess, call: Call, inbox: "queue.SimpleQueue[Message]", deadline: float
) -> Message:
    is_cancelled = call.is_cancelled
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise PluginError(f"The plugin did not answer within {call.timeout_s:g} s.")
        try:
            message = inbox.get(timeout=min(left_s, _LOOK_S))
        except queue.Empty:
            if is_cancelled():
                raise PluginError("The call was cancelled.") from None
            continue
        if message.get("method") != "service" or _is_item(message):
            return message
        _reply(child, call.offered.serve(message))


def _is_item(message: Message) -> bool:
    return bool(message["params"].get("handle") == wire.STREAM)


async def call_awaiting(child: ChildProcess, call: Call) -> Any:
    """Make ``call`` on the running loop; raise PluginError."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    number = child.open(lambda m: _post(loop, inbox, m), call.logger)
    tasks: set[asyncio.Task[None]] = set()
    try:
        child.send(call.message(number))
        async with asyncio.timeout(call.timeout_s):
            while (message := await inbox.get()).get("method") == "service":
                tasks.add(asyncio.create_task(_served(child, call.offered, message)))
                tasks = {task for task in tasks if not task.done()}
        child.close(number)
        return call.answer(message)
    except TimeoutError as error:
        text = f"The plugin did not answer within {call.timeout_s:g} s."
        raise PluginError(text) from error
    except wire.FrameError as error:
        raise PluginError(str(error), permanent=True) from error
    finally:
        child.abandon(number)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if call.offered.has_open:
            await call.offered.close()


def _post(
    loop: asyncio.AbstractEventLoop, inbox: "asyncio.Queue[Message]", message: Message
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(inbox.put_nowait, message)


async def _served(child: ChildProcess, offered: Offered, message: Message) -> None:
    _reply(child, await offered.serve_async(message))


def _reply(child: ChildProcess, message: Message) -> None:
    try:
        child.send(message)
    except wire.FrameError as error:
        child.send(wire.failure(message["id"], {"code": -32000, "message": str(error)}))
