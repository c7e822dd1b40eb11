"""The org that the running code serves, as the second wall between orgs sees it.

On PostgreSQL every statement runs under the row security policy of this org
(``detectviz.tenancy.postgresql``). Without one the code acts for the system and sees every org:
workers, the command line, migrations, pages of no org, and threads that a request starts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import models

from detectviz.tenancy.managers import UnscopedQueryError

_org_id: ContextVar[int | None] = ContextVar("detectviz_org_id", default=None)
_is_serving: ContextVar[bool] = ContextVar("detectviz_is_serving", default=False)


def current_org_id() -> int | None:
    """Return the primary key of the org being served, None when code acts for the system."""
    return _org_id.get()


@contextmanager
def org_scope(org: models.Model | int) -> Iterator[None]:
    """Let the block see and write rows of one org only (an instance or its primary key).

    Evaluate querysets inside the block: it is the statement that is restricted.
    """
    token = _org_id.set(org if isinstance(org, int) else org.pk)
    try:
        yield
    finally:
        _org_id.reset(token)


@contextmanager
def all_orgs_scope(*, reason: str) -> Iterator[None]:
    """Lift the restriction for the block; ``reason`` tells the reader why that is right here.

    ``objects.across_orgs`` alone does not lift it. Evaluate querysets inside the block.
    """
    if not reason:
        raise UnscopedQueryError("Say why this code crosses orgs.")
    token = _org_id.set(None)
    try:
        yield
    finally:
        _org_id.reset(token)


@contextmanager
def request_scope() -> Iterator[None]:
    """Serve one request: begin for the system, and forget at the end which org it entered."""
    serving, token = _is_serving.set(True), _org_id.set(None)
    try:
        yield
    finally:
        _org_id.reset(token)
        _is_serving.reset(serving)


def scope_enter(org: models.Model | int) -> None:
    """Stay in ``org`` until the request being served ends; no effect outside of a request."""
    if _is_serving.get():
        _org_id.set(org if isinstance(org, int) else org.pk)
