"""Who is acting, on whose behalf and from where: what audit and logs attach to what they write."""

import ipaddress
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

Via = Literal["session", "apikey", "token", "cli", "system", "anonymous"]
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The identity behind an action. ``scopes`` are the API key's, None when there is none."""

    user_id: int | None = None
    name: str = "system"
    via: Via = "system"
    scopes: Sequence[str] | None = None


SYSTEM = Actor()
ANONYMOUS = Actor(name="anonymous", via="anonymous")


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """Attributes of the work going on. ``actor`` is resolved when first asked for."""

    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    address: str | None = None
    actor_source: Callable[[], Actor] = lambda: SYSTEM
    _actor: Actor | None = None

    @property
    def actor(self) -> Actor:
        """Who acts."""
        if self._actor is None:
            self._actor = self.actor_source()
        return self._actor

    def bind_actor(self, actor: Actor) -> None:
        """Say who acts, once authentication knows."""
        self._actor = actor


_current: ContextVar[RequestContext | None] = ContextVar("detectviz_context", default=None)


def current_context() -> RequestContext:
    """Return the current context; outside a request it is the system's."""
    return _current.get() or RequestContext()


@contextmanager
def context(new: RequestContext) -> Iterator[RequestContext]:
    """Make ``new`` the current context for a block."""
    token = _current.set(new)
    try:
        yield new
    finally:
        _current.reset(token)


def client_address(
    peer: str, forwarded_for: str, trusted_proxies: Sequence[IpNetwork]
) -> str | None:
    """Return the caller's address; X-Forwarded-For counts only as far as trusted proxies wrote it.

    Read from the right: every hop that is a trusted proxy vouches for the entry before it. An
    entry that is no address ends the search at the last proxy that could be believed.
    """
    candidate = _parsed(peer)
    for hop in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
        if candidate is None or not any(candidate in network for network in trusted_proxies):
            break
        earlier = _parsed(hop)
        if earlier is None:
            break
        candidate = earlier
    return None if candidate is None else str(candidate)


def trusted_peer(peer: str, trusted_proxies: Sequence[IpNetwork]) -> str | None:
    """Return the address of the peer if it is a trusted proxy, else None."""
    address = _parsed(peer)
    is_trusted = address is not None and any(address in network for network in trusted_proxies)
    return str(address) if is_trusted else None


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
