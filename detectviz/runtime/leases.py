"""Leases by one statement each; the clock that counts is the caller's, in UTC."""

import os
import secrets
import socket
from datetime import datetime, timedelta
from functools import cache

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from detectviz.runtime.models import Lease


@cache
def _process_token(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{secrets.token_hex(4)}"


def process_owner() -> str:
    """Return this process's name as a lease holder: host, pid and a token per life."""
    return _process_token(os.getpid())


def lease_acquire(*, name: str, owner: str, ttl_s: float, now: datetime) -> int | None:
    """Take or renew a lease; return its epoch, or None while somebody else holds it."""
    expires_at = now + timedelta(seconds=ttl_s)
    held = Lease.objects.filter(name=name, owner=owner, expires_at__gte=now)
    if held.update(expires_at=expires_at):
        return _epoch(name, owner)
    free = Lease.objects.filter(Q(name=name) & (Q(expires_at__lt=now) | Q(owner=owner)))
    if free.update(owner=owner, expires_at=expires_at, epoch=F("epoch") + 1):
        return _epoch(name, owner)
    try:
        with transaction.atomic():
            return Lease.objects.create(name=name, owner=owner, expires_at=expires_at).epoch
    except IntegrityError:
        return None


def lease_release(*, name: str, owner: str) -> None:
    """Give a lease back at once, so that the next holder need not wait for its expiry."""
    Lease.objects.filter(name=name, owner=owner).update(
        expires_at=F("expires_at") - timedelta(days=1)
    )


def lease_forget(*, name: str) -> None:
    """Take a lease from whoever holds it: for the only process that can, when it starts."""
    Lease.objects.filter(name=name).update(expires_at=F("expires_at") - timedelta(days=1))


def _epoch(name: str, owner: str) -> int | None:
    return Lease.objects.filter(name=name, owner=owner).values_list("epoch", flat=True).first()
