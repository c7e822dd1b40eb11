"""What one call offers the child: the ports of its context, by handles that end with the call."""

import asyncio
import inspect
import logging
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args, get_origin

from detectviz.contracts.datasource import Instances
from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import JsonValue
from detectviz.pluginhost.sandbox.child import wire
from detectviz.pluginhost.sandbox.child.codec import Codec, CodecError, is_protocol
from detectviz.pluginhost.sandbox.child.failures import failure_encode
from detectviz.pluginhost.sandbox.child.ports import Method, Port, port_of

logger = logging.getLogger(__name__)
MOST_HANDLES: Final = 256
# Callables by what they return that the child has itself.
_CLOCKS: Final[dict[Any, str]] = {datetime: "now", float: "monotonic", bool: "is_cancelled"}


@dataclass(frozen=True, slots=True)
class _Offer:
    target: Any
    port: Port | None
    hint: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    offer: _Offer
    method: Method | None
    values: Any


class Offered:
    """The services of one call. A child can call what a Protocol names, and nothing else."""

    def __init__(self) -> None:
        self._offers: list[_Offer] = []
        self._opened: list[Any] = []
        self.codec = Codec(self)

    def give(self, value: object, hint: Any) -> JsonValue:
        """Return the handle of a port or function; clocks, logs and memories are the child's."""
        is_log = isinstance(hint, type) and issubclass(hint, logging.Logger)
        if is_log or hint is Instances or get_origin(hint) is MutableMapping:
            return None
        if not is_protocol(hint):
            parameters, returns = get_args(hint)
            if not parameters and returns in _CLOCKS:
                return _CLOCKS[returns]
            return {"handle": self._add(_Offer(value, None, hint))}
        port = port_of(hint)
        return {
            "handle": self._add(_Offer(value, port, hint)),
            "properties": self._properties(value, port),
        }

    def take(self, value: JsonValue, hint: Any) -> object:
        """Refuse: a child has no services for the host."""
        raise CodecError("A plugin hands no services to the host.")

    def serve(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer a request in the calling thread."""
        try:
            request = self._request(message["params"])
            answer = self._call(request)
            if inspect.isawaitable(answer):
                answer = asyncio.run(_awaited(answer))
            return wire.result(message["id"], self._packed(request, answer))
        except Exception as error:  # noqa: BLE001 - the child gets it as its answer
            return wire.failure(message["id"], _told(error))

    async def serve_async(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer a request in the running loop; blocking ports in a thread."""
        try:
            request = self._request(message["params"])
            if request.method is not None and request.method.is_async:
                answer = await self._call(request)
            else:
                answer = await asyncio.to_thread(self._call, request)
            return wire.result(message["id"], self._packed(request, answer))
        except Exception as error:  # noqa: BLE001 - the child gets it as its answer
            return wire.failure(message["id"], _told(error))

    @property
    def has_open(self) -> bool:
        """Whether the child opened anything that must be closed."""
        return bool(self._opened)

    async def close(self) -> None:
        """Close what the child opened and left open."""
        for target in self._opened:
            try:
                done = target.close()
                if inspect.isawaitable(done):
                    await done
            except Exception:  # noqa: BLE001 - closing is best effort
                logger.info("closing what a plugin left open failed")

    def _add(self, offer: _Offer) -> int:
        if len(self._offers) >= MOST_HANDLES:
            raise PluginError(f"One call may have {MOST_HANDLES} services open.", permanent=True)
        self._offers.append(offer)
        return len(self._offers) - 1

    def _properties(self, value: object, port: Port) -> dict[str, JsonValue]:
        return {
            name: self.codec.encode(hint, getattr(value, name))
            for name, hint in port.properties.items()
        }

    def _request(self, params: dict[str, Any]) -> _Request:
        handle, name = params["handle"], params["method"]
        if type(handle) is not int or not 0 <= handle < len(self._offers):
            raise CodecError("There is no such service.")
        offer, arguments = self._offers[handle], params["arguments"]
        if offer.port is None:
            parameters, _ = get_args(offer.hint)
            if not isinstance(arguments, list) or len(arguments) != len(parameters):
                raise CodecError("A function was called with the wrong number of values.")
            values = [
                self.codec.decode(hint, value)
                for hint, value in zip(parameters, arguments, strict=True)
            ]
            return _Request(offer=offer, method=None, values=values)
        method = offer.port.methods.get(name)
        if method is None or not isinstance(arguments, dict):
            raise CodecError("The service has no such method.")
        named = {
            key: self.codec.decode(method.hints[key], value)
            for key, value in arguments.items()
            if key in method.signature.parameters
        }
        return _Request(offer=offer, method=method, values=named)

    def _call(self, request: _Request) -> Any:
        if request.method is None:
            return request.offer.target(*request.values)
        return request.method.call(request.offer.target, request.values)

    def _packed(self, request: _Request, answer: Any) -> dict[str, JsonValue]:
        method, offer = request.method, request.offer
        if method is None:
            return {"value": self.codec.encode(get_args(offer.hint)[1], answer)}
        packed: dict[str, JsonValue] = {"value": self.codec.encode(method.returns, answer)}
        if is_protocol(method.returns) and callable(getattr(answer, "close", None)):
            self._opened.append(answer)
        if offer.port is not None and offer.port.properties:
            packed["properties"] = self._properties(offer.target, offer.port)
        return packed


async def _awaited(answer: Any) -> Any:
    return await answer


def _told(error: Exception) -> dict[str, JsonValue]:
    """Return what the child is told: contracts' errors whole, of others only that it failed."""
    if isinstance(error, (PluginError, CodecError, TypeError)):
        return failure_encode(error)
    logger.error("a service failed for a plugin", exc_info=error)
    return failure_encode(PluginError("The service failed; the host's log says why."))
