"""The child: greets the host, puts up its walls, loads one plugin and answers calls until the end.

Reads frames in a thread; asynchronous verbs run on the loop of the main thread, synchronous ones
in threads.
"""

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from detectviz.contracts import lifecycle
from detectviz.pluginhost.sandbox.child import wire
from detectviz.pluginhost.sandbox.child.codec import Codec
from detectviz.pluginhost.sandbox.child.failures import CANCELLED, failure_encode
from detectviz.pluginhost.sandbox.child.ports import Method, Port, ports_in
from detectviz.pluginhost.sandbox.child.stubs import CallReferences, Locals, ask_and_wait
from detectviz.pluginhost.sandbox.child.walls import put_up
from detectviz.pluginhost.sandbox.child.watching import watch

THREADS: Final = 16
LONGEST_LINE: Final = 4_000


def item_params(value: Any) -> dict[str, Any]:
    """Return the parameters of an item of a stream: a service without a handle."""
    return {"handle": wire.STREAM, "method": "item", "arguments": {"value": value}}


class Host:
    """The stream to the host; writes are whole frames, from any thread."""

    def __init__(self, stream: socket.socket, largest: int) -> None:
        self._stream = stream
        self._largest = largest
        self._lock = threading.Lock()
        self._waiting: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._count = 0

    def send(self, message: dict[str, Any]) -> None:
        """Send one message; an answer that is too large becomes an error."""
        try:
            frame = wire.pack(message, largest=self._largest)
        except (wire.FrameError, ValueError) as error:
            if "id" not in message or "method" in message:
                raise
            frame = wire.pack(wire.failure(message["id"], failure_encode(error)))
        with self._lock:
            self._stream.sendall(frame)

    def ask(self, params: dict[str, Any], answered: Callable[[dict[str, Any]], None]) -> None:
        """Send a request; ``answered`` gets its answer."""
        with self._lock:
            self._count += 1
            identity = f"s{self._count}"
            self._waiting[identity] = answered
        self.send(wire.request(identity, "service", params))

    def report(self, permission: str, wanted: str) -> None:
        """Tell of an attempt."""
        self.send(wire.notification("attempt", {"permission": permission, "wanted": wanted}))

    def settle(self, message: dict[str, Any]) -> None:
        """Hand an answer to whoever asked."""
        answered = self._waiting.pop(str(message.get("id")), None)
        if answered is not None:
            answered(message)


class CallLink:
    """The way to the host for one call."""

    def __init__(self, host: Host, call: int) -> None:
        self._host = host
        self._call = call
        self.is_cancelled = False

    def ask(self, params: dict[str, Any], answered: Callable[[dict[str, Any]], None]) -> None:
        """Send a request of a service of this call."""
        self._host.ask({"call": self._call, **params}, answered)

    def log(self, level: int, message: str) -> None:
        """Send a line of log."""
        params = {"call": self._call, "level": level, "message": message[:LONGEST_LINE]}
        self._host.send(wire.notification("log", params))


class Server:
    """One plugin and the calls under way."""

    def __init__(self, host: Host, plugin: object, ports: dict[str, Port]) -> None:
        self._host = host
        self._plugin = plugin
        self._methods = dict(_answered(plugin, ports))
        self._locals = Locals()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
        self._links: dict[int, CallLink] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    @property
    def methods(self) -> list[str]:
        """The methods the host may call."""
        return sorted(self._methods)

    def handle(self, message: dict[str, Any]) -> None:
        """Take one message of the host; on the loop."""
        method, params = message.get("method"), message.get("params") or {}
        if method is None:
            self._host.settle(message)
        elif method == "call":
            self._begin(message["id"], params)
        elif method == "cancel":
            self._cancel(params["call"])

    def _begin(self, call: int, params: dict[str, Any]) -> None:
        method = self._methods[params["method"]]
        link = self._links[call] = CallLink(self._host, call)
        loop = asyncio.get_running_loop()
        if method.is_async:
            self._tasks[call] = loop.create_task(self._run_async(call, link, method, params))
        else:
            done = loop.run_in_executor(self._threads, self._run_sync, call, link, method, params)
            done.add_done_callback(lambda _: self._links.pop(call, None))

    def _cancel(self, call: int) -> None:
        link, task = self._links.get(call), self._tasks.get(call)
        if link is not None:
            link.is_cancelled = True
        if task is not None:
            task.cancel()

    def _arguments(self, link: CallLink, method: Method, params: dict[str, Any]) -> dict[str, Any]:
        codec = CallReferences(link).codec
        return {
            name: self._locals.fill(codec.decode(method.hints[name], value))
            for name, value in params["arguments"].items()
        }

    async def _run_async(
        self, call: int, link: CallLink, method: Method, params: dict[str, Any]
    ) -> None:
        try:
            answer = await method.call(self._plugin, self._arguments(link, method, params))
            self._host.send(wire.result(call, Codec().encode(method.returns, answer)))
        except asyncio.CancelledError:
            error = {"code": CANCELLED, "message": "The call was cancelled."}
            self._host.send(wire.failure(call, error))
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is an answer
            self._host.send(wire.failure(call, failure_encode(error)))
        finally:
            self._links.pop(call, None)
            self._tasks.pop(call, None)

    def _run_sync(self, call: int, link: CallLink, method: Method, params: dict[str, Any]) -> None:
        try:
            answer = method.call(self._plugin, self._arguments(link, method, params))
            if method.streams is not None:
                _send_items(link, method.streams, answer)
                answer = None
            returns = None if method.streams is not None else method.returns
            self._host.send(wire.result(call, Codec().encode(returns, answer)))
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is an answer
            self._host.send(wire.failure(call, failure_encode(error)))


def _send_items(link: CallLink, hint: Any, items: Any) -> None:
    """Send one item at a time, the next one when the host asks for it."""
    codec = Codec()
    for item in items:
        if link.is_cancelled:
            break
        ask_and_wait(link, item_params(codec.encode(hint, item)))


def _answered(plugin: object, ports: dict[str, Port]) -> Any:
    """Yield the methods of every port that the plugin has whole."""
    for port in ports.values():
        names = [*port.methods, *port.properties]
        if names and all(hasattr(plugin, name) for name in names):
            yield from port.methods.items()


def _attributes(plugin: object, ports: dict[str, Port]) -> dict[str, Any]:
    codec = Codec()
    return {
        name: codec.encode(hint, getattr(plugin, name))
        for port in ports.values()
        if all(hasattr(plugin, each) for each in (*port.methods, *port.properties))
        for name, hint in port.properties.items()
    }


def _read_greeting(stream: socket.socket, reader: wire.FrameReader) -> dict[str, Any]:
    while True:
        data = stream.recv(65_536)
        if not data:
            sys.exit(0)
        for message in reader.feed(data):
            return message


def _load(params: dict[str, Any]) -> object:
    if params["folder"]:
        _make_packages(params["package"], params["folder"])
    module_name, _, class_name = params["capability"].partition(":")
    module = import_module(f"{params['package']}.{module_name}")
    instance: object = getattr(module, class_name)()
    return instance


def _make_packages(package: str, folder: str) -> None:
    """Make ``folder`` the package, whatever else of that name is on the path."""
    parts = package.split(".")
    for place in range(1, len(parts) + 1):
        name = ".".join(parts[:place])
        module = ModuleType(name)
        module.__path__ = [folder] if place == len(parts) else []
        sys.modules[name] = module


async def _serve(stream: socket.socket, reader: wire.FrameReader, server: Server) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        while data := stream.recv(65_536):
            for message in reader.feed(data):
                loop.call_soon_threadsafe(server.handle, message)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, name="host", daemon=True).start()
    await ended.wait()


def main() -> None:
    """Serve one plugin over standard input until the host goes."""
    stream = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    reader = wire.FrameReader()
    greeting = _read_greeting(stream, reader)
    params = greeting["params"]
    host = Host(stream, params["largest_frame"])
    version = max(set(wire.VERSIONS) & set(params["versions"]), default=0)
    if not version:
        message = f"This child speaks {wire.VERSIONS}, the host {params['versions']}."
        host.send(wire.failure(greeting["id"], {"code": -32602, "message": message}))
        return
    try:
        put_up(params["walls"])
        ports = ports_in(import_module(params["contract"])) | ports_in(lifecycle)
        watch(host.report, files=tuple(params["files"]))
        plugin = _load(params)
        server = Server(host, plugin, ports)
        attributes = _attributes(plugin, ports)
    except BaseException as error:  # noqa: BLE001 - the host is told, whatever an import does
        host.send(wire.failure(greeting["id"], failure_encode(error)))
        return
    welcome = {"version": version, "methods": server.methods, "attributes": attributes}
    host.send(wire.result(greeting["id"], welcome))
    asyncio.run(_serve(stream, reader, server))
    os._exit(0)
