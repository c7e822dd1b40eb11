"""Chat callbacks: the doors, and what comes through them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, models, transaction
from django.urls import reverse

from apps.oncall.models import CallbackSeen, ChatCallback
from apps.oncall.services.callbacks import link_act
from apps.oncall.services.links import Link, LinkError, link_of, link_read
from apps.oncall.services.signatures import press_answer, press_read
from detectviz.contracts.presses import Received
from detectviz.contracts.types import JsonObject
from detectviz.resources.errors import InvalidFieldsError

PER_MINUTE = 60
SEEN_KEPT = timedelta(days=1)
_MARK = "/act/"


class TooManyError(ValueError):
    """A door that is knocked at too often."""


class ReplayedError(ValueError):
    """A request that was taken before."""


def callback_write(
    *, org: models.Model, name: str, spec: Mapping[str, Any], instance: ChatCallback | None
) -> ChatCallback:
    """Create or change a door; without a new key it keeps its own."""
    callback = instance or ChatCallback(org_id=org.pk, name=name)
    key = spec["secrets"].get("key")
    if isinstance(key, str) and key:
        callback.secrets = {"key": key}
    elif instance is None or instance.service != spec["service"]:
        raise InvalidFieldsError({"spec.secrets.key": ["The key of the service is needed."]})
    callback.title = spec["title"]
    callback.service = spec["service"]
    callback.enabled = spec["enabled"]
    callback.save()
    return callback


def callback_url(callback: ChatCallback) -> str:
    """Return the address to give to the service."""
    path = reverse("oncall-api:callback", args=[callback.uid])
    return f"{settings.EXTERNAL_URL}{path}"


def callback_receive(*, callback: ChatCallback, request: Received, now: datetime) -> JsonObject:
    """Check a request and do what its button says; return the answer its service expects.

    Raises TooManyError, SignatureError, UnreadableError and ReplayedError; what can't be done
    any more is said, as the press itself was in order.
    """
    _require_calm(callback)
    service, org, said = callback.service, callback.org.name, ""
    key = callback.secrets.get("key", "")
    pressed = press_read(service, request, key=key, now=now, org=org)
    if not pressed.is_ping:
        _require_new(callback, pressed.nonce, now)
        try:
            said = link_act(link=_link(callback, pressed.value), now=now, by=pressed.by)
        except LinkError as error:
            said = str(error)
    return press_answer(service, pressed, said=said, org=org)


def seen_prune(*, now: datetime) -> int:
    """Forget requests that would be too old by now."""
    rows = CallbackSeen.objects.across_orgs(reason="retention is the same for all orgs")
    deleted, _ = rows.filter(at__lt=now - SEEN_KEPT).delete()
    return deleted


def _link(callback: ChatCallback, value: str) -> Link:
    """Read a button's value: a signed link or its token, or ``action:delivery``."""
    if _MARK in value:
        value = value.rpartition(_MARK)[2]
    action, _, uid = value.partition(":")
    if action in {"acknowledge", "snooze", "silence"}:
        return link_of(org_id=callback.org_id, delivery_uid=uid[:32], action=action)
    link = link_read(value)
    if link.delivery.org_id != callback.org_id:
        raise LinkError("This link is not one of ours.")
    return link


def _require_calm(callback: ChatCallback) -> None:
    key = f"oncall/callback/{callback.pk}"
    cache.add(key, 0, timeout=60)
    try:
        count = cache.incr(key)
    except ValueError:  # it ended in between
        return
    if count > PER_MINUTE:
        raise TooManyError(f"At most {PER_MINUTE} requests a minute.")


def _require_new(callback: ChatCallback, nonce: str, now: datetime) -> None:
    digest = hashlib.sha256(f"{callback.uid}/{nonce}".encode()).hexdigest()
    try:
        with transaction.atomic():
            CallbackSeen.objects.for_org(callback.org_id).create(
                org_id=callback.org_id, digest=digest, at=now
            )
    except IntegrityError as error:
        raise ReplayedError("This request was taken before.") from error
