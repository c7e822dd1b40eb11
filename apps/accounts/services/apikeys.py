"""API keys: making, revoking and recognising them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models, transaction

from apps.accounts.enums import UserKind
from apps.accounts.errors import EscalationError
from apps.accounts.models import ApiKey, Membership, User
from apps.accounts.services.roles import checked_patterns
from apps.accounts.services.tokens import api_token_new, token_key_id, token_matches
from detectviz.clock import utc_now
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.permissions.access import access_of
from detectviz.permissions.memory import Memory
from detectviz.permissions.requests import actor_access
from detectviz.resources.errors import InvalidFieldsError

EVERYTHING = ("*:*",)
_remembered: Memory[ApiKey] = Memory()
_TOUCH_EVERY = timedelta(minutes=1)
_NO_DIGEST = "0" * 64  # compared with when there is no such key, so that it takes as long


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTerms:
    """What a key may do at most, and until when (None: until revoked)."""

    scopes: Sequence[str] = EVERYTHING
    expires_at: datetime | None = None


@transaction.atomic
def apikey_create(
    *,
    org: models.Model,
    name: str,
    user: User,
    terms: KeyTerms,
    title: str = "",
    actor: models.Model | None,
) -> ApiKey:
    """Make a key with which ``user`` (a member, or the user of a service account) acts in ``org``.

    The token stands on ``.token`` of the returned instance and is never readable again. Raises
    EscalationError when the key could do more than its maker; nobody makes a key for another
    person.
    """
    scopes = checked_patterns(terms.scopes)
    _require_may_hold(org, user, scopes, actor)
    token = api_token_new()
    key: ApiKey = ApiKey.objects.create_for(
        org,
        name=name,
        title=title,
        user=user,
        key_id=token.key_id,
        digest=token.digest,
        scopes=scopes,
        expires_at=terms.expires_at,
        created_by=actor,
    )
    key.token = token.token
    _tell(key, "apikey.issue", actor)
    return key


@transaction.atomic
def apikey_update(
    *, key: ApiKey, terms: KeyTerms, title: str, is_revoked: bool, actor: models.Model | None
) -> ApiKey:
    """Change the terms of a key, or revoke it for good."""
    scopes = checked_patterns(terms.scopes)
    if scopes != key.scopes or terms.expires_at != key.expires_at:
        _require_may_hold(key.org, key.user, scopes, actor)
    if key.revoked_at is not None and not is_revoked:
        raise InvalidFieldsError(
            {"spec.is_revoked": ["A revoked key stays revoked; make a new one."]}
        )
    if is_revoked and key.revoked_at is None:
        key.revoked_at = utc_now()
        _tell(key, "apikey.revoke", actor)
    key.scopes, key.expires_at, key.title = scopes, terms.expires_at, title
    key.save()
    return key


def apikey_authenticate(*, token: str, now: datetime) -> ApiKey | None:
    """Return the valid key of a token, else None; the work does not tell how wrong it was.

    A valid key is remembered for two seconds (``detectviz.permissions.memory``): one revoked in
    another process works that much longer.
    """
    fingerprint = hashlib.sha256(token.encode()).digest()
    known = _remembered.get(fingerprint)
    if known is not None and _is_valid(known, now):
        _touch(known, now)
        return known
    rows = ApiKey.objects.across_orgs(reason="the key is what says which org it belongs to")
    key: ApiKey | None = (
        rows.filter(key_id=token_key_id(token)).select_related("user", "org").first()
    )
    matches = token_matches(token, _NO_DIGEST if key is None else key.digest)
    if key is None or not matches or not _is_valid(key, now):
        return None
    _touch(key, now)
    return _remembered.put(fingerprint, key)


def _is_valid(key: ApiKey, now: datetime) -> bool:
    is_current = key.expires_at is None or key.expires_at > now
    return is_current and key.revoked_at is None and key.user.is_active and key.org.is_active


def _touch(key: ApiKey, now: datetime) -> None:
    """Note the use, at most once a minute."""
    if key.last_used_at is not None and now - key.last_used_at < _TOUCH_EVERY:
        return
    before, key.last_used_at = key.last_used_at, now
    rows = ApiKey.objects.for_org(key.org_id).filter(pk=key.pk, last_used_at=before)
    if rows.update(last_used_at=now) and before is None:
        _tell(key, "apikey.first_use", key.user)


def _require_may_hold(
    org: models.Model, user: User, scopes: Sequence[str], actor: models.Model | None
) -> None:
    if not Membership.objects.for_org(org).filter(user=user).exists() and not user.is_superuser:
        raise InvalidFieldsError({"spec.owner": ["The owner is no member of this organisation."]})
    is_own = actor is not None and actor.pk == user.pk
    if actor is not None and user.kind == UserKind.PERSON and not is_own:
        raise EscalationError
    if not actor_access(actor, org).covers_access(access_of(user, org, scopes)):
        raise EscalationError


def _tell(key: ApiKey, action: str, actor: models.Model | None) -> None:
    publish(
        SecurityEventOccurred(
            action=action,
            org_id=key.org_id,
            actor_id=actor.pk if actor else None,
            kind="ApiKey",
            name=key.name,
            uid=key.uid,
            details={"key_id": key.key_id, "user": key.user.username},
        )
    )
