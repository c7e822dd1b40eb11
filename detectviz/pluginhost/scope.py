"""Whose call this is: calls of two scopes never share the process of an isolated plugin."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_scope: ContextVar[str] = ContextVar("isolation_scope", default="")


def current_scope() -> str:
    """Return the name of the org the current call is for, empty for the deployment's own."""
    return _scope.get()


@contextmanager
def calling_for(org: str | None) -> Iterator[None]:
    """Make calls inside, and tasks created inside, calls for ``org``."""
    token = _scope.set(org or "")
    try:
        yield
    finally:
        _scope.reset(token)
