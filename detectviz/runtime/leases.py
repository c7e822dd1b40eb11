"""Leases by one statement each; the clock that counts is the caller's, in UTC."""

import os
import secrets
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from detectviz.runtime.models import Lease


@cache
def _process_token(pid: int) -> str:
    return f"{_machine()}:{pid}:{secrets.token_hex(4)}"


@cache
def _machine() -> str:
    """Return where a pid means a process: the host, and on Linux its namespace of pids."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink()).partition("[")[2].rstrip("]")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}/{namespace}"


def process_owner() -> str:
    """Return this process's name as a lease holder: machine, pid and a token per life."""
    return _process_token(os.getpid())


def owner_is_gone(owner: str) -> bool:
    """Say whether a holder certainly runs no more: its machine is ours, its process is not there.

    Of other machines nothing is known: their leases end by the clock.
    """
    machine, _, life = owner.rpartition("/")
    ours, _, namespace = _machine().rpartition("/")
    where, _, rest = life.partition(":")
    pid = rest.partition(":")[0]
    if not namespace or (machine, where) != (ours, namespace) or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return owner != process_owner()
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def owners_gone(owners: Iterable[str]) -> list[str]:
    """Return those holders that certainly run no more."""
    return [owner for owner in set(owners) if owner_is_gone(owner)]


def lease_acquire(*, name: str, owner: str, ttl_s: float, now: datetime) -> int | None:
    """Take or renew a lease; return its epoch, or None while somebody else holds it.

    A holder that was killed on this machine holds nothing.
    """
    expires_at = now + timedelta(seconds=ttl_s)
    held = Lease.objects.filter(name=name, owner=owner, expires_at__gte=now)
    if held.update(expires_at=expires_at):
        return _epoch(name, owner)
    free = Lease.objects.filter(Q(name=name) & (Q(expires_at__lt=now) | Q(owner=owner)))
    if free.update(owner=owner, expires_at=expires_at, epoch=F("epoch") + 1):
        return _epoch(name, owner)
    holder = Lease.objects.filter(name=name).values_list("owner", flat=True).first()
    if holder is not None:
        if not owner_is_gone(holder):
            return None
        left = Lease.objects.filter(name=name, owner=holder)
        taken = left.update(owner=owner, expires_at=expires_at, epoch=F("epoch") + 1)
        return _epoch(name, owner) if taken else None
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
