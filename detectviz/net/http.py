"""HTTP for an event loop and for worker threads, on the same exchange."""

import asyncio
import os
import threading
from concurrent.futures import CancelledError
from typing import Final

import pycurl

from detectviz.contracts.errors import DeadlineExceededError
from detectviz.contracts.network import HttpRequest, HttpResponse
from detectviz.net.exchange import Exchange
from detectviz.net.guard import EgressPolicy
from detectviz.net.handles import HandlePool
from detectviz.net.resolver import Resolver

GRACE_S: Final = 2.0


class CurlHttp:
    """HTTP exchanges inside one event loop; not to be shared between loops."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._pool = HandlePool(policy)
        self._multi = pycurl.AsyncCurlMulti()

    async def fetch(self, request: HttpRequest) -> HttpResponse:
        """Run one HTTP exchange; raise NetworkError or ConfigurationError."""
        exchange = Exchange(request, self._pool)
        while True:
            failure: pycurl.error | None = None
            try:
                await self._multi.add_handle(exchange.handle())
            except pycurl.error as error:
                failure = error
            response = exchange.complete(failure)
            if response is not None:
                return response

    async def aclose(self) -> None:
        """Abort what is under way and free the sockets."""
        await self._multi.aclose()
        self._pool.clear()


class SyncHttpClient:
    """HTTP for threads: contracts' HttpClient. Safe to share; usable again after a fork.

    All calls run on one private event loop in a daemon thread: the trust bundle is then parsed
    once and not per call, and the code is the collectors' own.
    """

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._http: CurlHttp | None = None
        self._resolver: Resolver | None = None

    def fetch(self, request: HttpRequest) -> HttpResponse:
        """Run one HTTP exchange; raise NetworkError with the phase it failed in."""
        loop, http, _ = self._start()
        future = asyncio.run_coroutine_threadsafe(http.fetch(request), loop)
        try:
            return future.result(request.timeout_s + GRACE_S)
        except (TimeoutError, CancelledError):
            future.cancel()
            raise DeadlineExceededError(
                f"timed out after {request.timeout_s:g} s", phase="receive"
            ) from None

    def require_allowed(self, host: str, port: int) -> None:
        """Raise EgressDeniedError unless every address of ``host`` may be reached."""
        loop, _, resolver = self._start()
        future = asyncio.run_coroutine_threadsafe(resolver.resolve(host), loop)
        for address in future.result().addresses:
            self._policy.check(address, port)

    def allowed_address(self, host: str, port: int, *, timeout_s: float = 10.0) -> str:
        """Return the first address of ``host`` that may be reached.

        Raise NetworkError for a name that can't be resolved, EgressDeniedError when no address
        may be reached.
        """
        loop, _, resolver = self._start()
        future = asyncio.run_coroutine_threadsafe(resolver.resolve(host), loop)
        try:
            addresses = future.result(timeout_s).addresses
        except (TimeoutError, CancelledError):
            future.cancel()
            raise DeadlineExceededError(
                f"resolving {host} took longer than {timeout_s:g} s", phase="resolve"
            ) from None
        allowed = (each for each in addresses if self._policy.is_allowed(each, port))
        address = next(allowed, None)
        if address is None:
            self._policy.check(addresses[0], port)
        return address or addresses[0]

    def close(self) -> None:
        """Stop the private loop; a later call starts it again."""
        with self._lock:
            loop, thread, http = self._loop, self._thread, self._http
            self._loop = self._thread = self._http = None
            resolver, self._resolver = self._resolver, None
        if loop is None or thread is None or http is None or self._pid != os.getpid():
            return
        asyncio.run_coroutine_threadsafe(http.aclose(), loop).result(GRACE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(GRACE_S)
        loop.close()
        if resolver is not None:
            resolver.close()

    def _start(self) -> tuple[asyncio.AbstractEventLoop, CurlHttp, Resolver]:
        with self._lock:
            loop, http, resolver = self._loop, self._http, self._resolver
            if loop is None or http is None or resolver is None or self._pid != os.getpid():
                loop, http, resolver = self._begin()
            return loop, http, resolver

    def _begin(self) -> tuple[asyncio.AbstractEventLoop, CurlHttp, Resolver]:
        loop = asyncio.new_event_loop()
        http, resolver = CurlHttp(self._policy), Resolver()
        self._thread = threading.Thread(target=loop.run_forever, name="net-http", daemon=True)
        self._thread.start()
        self._pid = os.getpid()
        self._loop, self._http, self._resolver = loop, http, resolver
        return loop, http, resolver
