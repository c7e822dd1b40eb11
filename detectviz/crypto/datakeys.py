"""Find, make and unwrap data keys. Unwrapped keys live only in this process."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, models, transaction

from detectviz.crypto.envelope import Place, seal, unseal
from detectviz.crypto.errors import UnknownKeyError
from detectviz.crypto.keys import KEY_BYTES, keyring
from detectviz.crypto.models import DataKey
from detectviz.resources.models import new_uid

_CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenKey:
    """An unwrapped data key. ``org_id`` is None for the platform's own."""

    uid: str
    scope: str
    org_id: int | None
    secret: bytes = field(repr=False)


class KeyCache:
    """Unwrapped keys by (master key setting, uid): data keys never change, only disappear."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, str], OpenKey] = OrderedDict()
        self._lock = Lock()

    def get(self, uid: str) -> OpenKey | None:
        """Return a key unwrapped before under the same master keys."""
        return self._keys.get((settings.MASTER_KEYS, uid))

    def put(self, key: OpenKey) -> None:
        """Remember a key; the oldest go first."""
        with self._lock:
            self._keys[(settings.MASTER_KEYS, key.uid)] = key
            while len(self._keys) > _CACHE_SIZE:
                self._keys.popitem(last=False)

    def clear(self) -> None:
        """Forget all keys."""
        self._keys.clear()


cache = KeyCache()


def wrapping_place(row: DataKey) -> Place:
    """Return the place a wrapped data key is bound to."""
    return Place(org_uid=row.scope, model="crypto.datakey", row_uid=row.uid, field="wrapped")


def unwrap(row: DataKey) -> OpenKey:
    """Return the key of a row; raise UnknownKeyError or SealBrokenError under wrong master keys."""
    secret = unseal(keyring().key(row.kek_id), row.wrapped, wrapping_place(row))
    key = OpenKey(uid=row.uid, scope=row.scope, org_id=row.org_id, secret=secret)
    cache.put(key)
    return key


def wrap(row: DataKey, secret: bytes) -> None:
    """Wrap ``secret`` into ``row`` under the current key-encryption key (not saved)."""
    ring = keyring()
    row.kek_id = ring.current_id
    row.wrapped = seal(ring.key(ring.current_id), ring.current_id, secret, wrapping_place(row))


def key_by_uid(uid: str) -> OpenKey:
    """Return the data key with this id."""
    known = cache.get(uid)
    if known is not None:
        return known
    row = DataKey.objects.filter(uid=uid).first()
    if row is None:
        raise UnknownKeyError(f"The data key {uid} does not exist (any more).")
    return unwrap(row)


def current_key(*, scope: str, org_id: int | None) -> OpenKey:
    """Return the scope's current data key, made now if there is none yet."""
    row = DataKey.objects.filter(scope=scope, retired_at__isnull=True).first()
    if row is None:
        row = _make(scope, org_id)
    return cache.get(row.uid) or unwrap(row)


def org_scope(org_id: int) -> str:
    """Return the uid of an org, which names its data keys."""
    model: type[models.Model] = apps.get_model(settings.DETECTVIZ_ORG_MODEL)
    uid: str = model._default_manager.values_list("uid", flat=True).get(pk=org_id)
    return uid


def _make(scope: str, org_id: int | None) -> DataKey:
    row = DataKey(uid=new_uid(), scope=scope, org_id=org_id)
    wrap(row, secrets.token_bytes(KEY_BYTES))
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:  # another process made it first
        return DataKey.objects.get(scope=scope, retired_at__isnull=True)
    return row
