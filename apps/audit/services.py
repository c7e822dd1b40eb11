"""Record events, prove that nobody changed them, and forget the old ones."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from apps.accounts.selectors import org_ids_joined, user_get_by_name, username_get
from apps.audit.errors import ChainBrokenError
from apps.audit.models import PLATFORM_CHAIN, AuditChain, AuditEvent
from apps.orgs.selectors import org_get_by_id
from detectviz.clock import utc_now
from detectviz.contracts.masking import masked
from detectviz.crypto.services import mac_key
from detectviz.observability.context import current_context

MAX_DOCUMENT = 256 * 1024
_MAX_ORGS = 20  # a sign-in waits for the chain of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What happened. ``before`` and ``after`` are masked again before they are stored."""

    action: str
    org_id: int | None
    actor_id: int | None = None
    actor_name: str = ""
    kind: str = ""
    name: str = ""
    object_uid: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    is_success: bool = True


@transaction.atomic
def audit_record(entry: Entry) -> AuditEvent:
    """Append an event to the chain of its org (or the platform's), in the caller's transaction.

    Actor, address and request id come from the context. Writers of one chain wait for each other
    from here to their commit.
    """
    scope = PLATFORM_CHAIN
    if entry.org_id is not None:
        scope = org_get_by_id(entry.org_id).uid
    chain, _ = AuditChain.objects.select_for_update().get_or_create(scope=scope)
    event = _event(entry, scope)
    event.seq, event.prev_hash = chain.last_seq + 1, chain.last_hash
    event.hash = event_hash(event)
    event.save()
    chain.last_seq, chain.last_hash = event.seq, event.hash
    chain.save(update_fields=["last_seq", "last_hash"])
    return event


def audit_verify(*, scope: str) -> int:
    """Return how many events of a chain are intact; raise ChainBrokenError naming the first bad.

    ``scope`` is an org's uid or ``platform``. Finds changed, removed, reordered and added rows.
    """
    chain = AuditChain.objects.filter(scope=scope).first() or AuditChain(scope=scope)
    expected_seq, previous = chain.pruned_seq + 1, chain.pruned_hash
    count = 0
    for event in AuditEvent.objects.filter(scope=scope).order_by("seq").iterator():
        is_next = event.seq == expected_seq and event.prev_hash == previous
        if not is_next or not hmac.compare_digest(event.hash, event_hash(event)):
            raise ChainBrokenError(scope, expected_seq)
        expected_seq, previous = event.seq + 1, event.hash
        count += 1
    if (chain.last_seq, chain.last_hash) != (expected_seq - 1, previous):
        raise ChainBrokenError(scope, expected_seq)
    return count


@transaction.atomic
def audit_prune(*, scope: str, before: datetime) -> int:
    """Remove the events of a chain older than ``before``; what is left still proves itself."""
    chain = AuditChain.objects.select_for_update().filter(scope=scope).first()
    old = AuditEvent.objects.filter(scope=scope, at__lt=before).order_by("-seq").first()
    if chain is None or old is None:
        return 0
    chain.pruned_seq, chain.pruned_hash = old.seq, old.hash
    chain.save(update_fields=["pruned_seq", "pruned_hash"])
    return AuditEvent.objects.prune(scope=scope, through_seq=old.seq)


def event_hash(event: AuditEvent) -> str:
    """Return the keyed hash of an event and of all before it.

    The key is wrapped by the master keys, so whoever can write the table can't forge the chain.
    """
    fields = [
        event.scope,
        event.seq,
        event.prev_hash,
        event.uid,
        event.org_id,
        event.at.astimezone(UTC).isoformat(),
        event.actor_id,
        event.actor_name,
        event.via,
        event.address,
        event.request_id,
        event.action,
        event.kind,
        event.name,
        event.object_uid,
        event.is_success,
        event.before_json,
        event.after_json,
    ]
    text = json.dumps(fields, separators=(",", ":")).encode()
    return hmac.new(mac_key("audit-chain"), text, hashlib.sha256).hexdigest()


def _event(entry: Entry, scope: str) -> AuditEvent:
    context = current_context()
    actor = context.actor
    name = entry.actor_name or actor.name
    if entry.actor_id is not None and entry.actor_id != actor.user_id:
        name = entry.actor_name or _username(entry.actor_id)
    return AuditEvent(
        org_id=entry.org_id,
        scope=scope,
        at=utc_now(),
        actor_id=entry.actor_id if entry.actor_id is not None else actor.user_id,
        actor_name=_clean(name, 150),
        via=actor.via,
        address=context.address,
        request_id=_clean(context.request_id, 64),
        action=_clean(entry.action, 64),
        kind=_clean(entry.kind, 64),
        name=_clean(entry.name, 200),
        object_uid=_clean(entry.object_uid, 32),
        is_success=entry.is_success,
        before_json=_document(entry.before),
        after_json=_document(entry.after),
    )


def _username(user_id: int) -> str:
    return username_get(user_id) or f"user {user_id}"


def _clean(text: str, limit: int) -> str:
    """Cut a text to its column, without the NUL that PostgreSQL refuses."""
    return text.replace("\x00", "\ufffd")[:limit]


def _document(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return ""
    text = json.dumps(masked(value), default=str, sort_keys=True, separators=(",", ":"))
    if len(text) > MAX_DOCUMENT:
        digest = hashlib.sha256(text.encode()).hexdigest()
        return json.dumps({"too_large": len(text), "sha256": digest})
    return text


def signin_record(*, action: str, username: str, is_success: bool) -> None:
    """Record a sign-in event in the platform's chain and in each org of the user."""
    user = user_get_by_name(username)
    orgs = org_ids_joined(user)[:_MAX_ORGS] if user else []
    for org_id in [None, *orgs]:
        audit_record(
            Entry(
                action=action,
                org_id=org_id,
                actor_id=user.pk if user else None,
                actor_name=username or "unknown",
                kind="User",
                name=username,
                object_uid=user.uid if user else "",
                is_success=is_success,
            )
        )
