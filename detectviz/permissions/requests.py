"""The access of the request being served."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from django.db import models
from django.http import HttpRequest

from detectviz.observability.context import current_context
from detectviz.permissions.access import Access, access_of
from detectviz.permissions.memory import Memory
from detectviz.resources.errors import ForbiddenError

_by_credential: Memory[Access] = Memory()


@runtime_checkable
class Credential(Protocol):
    """What ``request.auth`` is when a program called: a key that works in one org."""

    org_id: int
    org: models.Model
    scopes: Sequence[str]


def credential_of(request: Any) -> Credential | None:
    """Return the key a program called with; None for a session.

    What ``isinstance`` asks of a protocol takes longer than all else here.
    """
    auth: Credential | None = getattr(request, "auth", None)
    return auth if hasattr(auth, "scopes") else None


def request_access(request: Any, org: models.Model) -> Access:
    """Return the access of a Django or DRF request in ``org``, computed once per request.

    An API key used outside its org is a stranger there.
    """
    plain: HttpRequest = getattr(request, "_request", request)
    cached: dict[int, Access] = vars(plain).setdefault("access_by_org", {})
    if org.pk not in cached:
        cached[org.pk] = _computed(request, org)
    return cached[org.pk]


def actor_access(actor: Any, org: models.Model) -> Access:
    """Return the access with which ``actor`` acts in ``org`` now, API key scopes included.

    Services that hand out permissions ask this. ``None`` is the system itself (command line,
    first start), which may do everything.
    """
    if actor is None:
        return Access(org_id=org.pk, is_member=True, is_superuser=True)
    context = current_context()
    is_caller = context.actor.user_id == actor.pk
    return access_of(actor, org, context.actor.scopes if is_caller else None)


def require_cover(access: Access, patterns: Sequence[str], obj: models.Model | None = None) -> None:
    """Raise ForbiddenError when ``patterns`` hold more than ``access`` does."""
    if not access.covers(patterns, obj):
        raise ForbiddenError("Nobody may grant permissions they do not have themselves.")


def _computed(request: Any, org: models.Model) -> Access:
    credential = credential_of(request)
    if credential is None:
        return access_of(request.user, org)
    if credential.org_id != org.pk:
        return Access(org_id=org.pk, is_member=False)
    key = (request.user.pk, org.pk, tuple(credential.scopes))
    return _by_credential.get(key) or _by_credential.put(
        key, access_of(request.user, org, credential.scopes)
    )
