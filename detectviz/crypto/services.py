"""Rotation of keys, and keys for authenticating our own records."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from django.apps import apps
from django.db import models, transaction

from detectviz.clock import utc_now
from detectviz.crypto.datakeys import OpenKey, current_key, unwrap, wrap
from detectviz.crypto.envelope import key_id_of
from detectviz.crypto.errors import CryptoError, WrongMasterKeysError
from detectviz.crypto.fields import EncryptedJSONField, SecretMap, key_for_org, sealed_map
from detectviz.crypto.keys import KEY_BYTES, derived_key, keyring
from detectviz.crypto.models import AUDIT_SCOPE, PLATFORM_SCOPE, DataKey
from detectviz.resources.models import new_uid

_BATCH = 500
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationReport:
    """What a rotation did: data keys wrapped anew, rows encrypted anew."""

    rewrapped: int
    reencrypted: int


def _silent(count: int) -> None:
    """Report progress to nobody."""


def platform_key_ensure() -> None:
    """Open the platform's data key, made on the first start; raise WrongMasterKeysError.

    It is the canary: a start with master keys that do not open it stops before anything is written.
    """
    try:
        current_key(scope=PLATFORM_SCOPE, org_id=None)
    except CryptoError as error:
        raise WrongMasterKeysError(
            "The master keys do not open this database's secrets. Restore the "
            f"DETECTVIZ_MASTER_KEYS (or the file secrets/master-keys) it was made with. {error}"
        ) from error


def mac_key(purpose: str) -> bytes:
    """Return a key for authenticating records. It survives every rotation."""
    return derived_key(current_key(scope=AUDIT_SCOPE, org_id=None).secret, purpose)


def keys_rotate(*, data_keys: bool = False, progress: Progress = _silent) -> RotationReport:
    """Wrap every data key under the current master key; then older master keys may be removed.

    With ``data_keys`` every org also gets a new data key and its rows are encrypted anew. Both
    steps do only what is left to do, so an interrupted rotation is finished by running it again.
    ``progress`` receives the number of items done. Raises UnknownKeyError when an older master key
    is already missing; nothing readable is lost by that.
    """
    rewrapped = _rewrap_all(progress)
    reencrypted = 0
    if data_keys:
        _renew_all()
        reencrypted = sum(_reencrypt(*target, progress) for target in _encrypted_fields())
    return RotationReport(rewrapped=rewrapped, reencrypted=reencrypted)


def _rewrap_all(progress: Progress) -> int:
    stale = DataKey.objects.exclude(kek_id=keyring().current_id).order_by("pk")
    done = 0
    for pk in list(stale.values_list("pk", flat=True)):
        with transaction.atomic():
            row = DataKey.objects.select_for_update().filter(pk=pk).first()
            if row is not None:
                wrap(row, unwrap(row).secret)
                row.save(update_fields=["kek_id", "wrapped"])
                done += 1
        progress(1)
    return done


def _renew_all() -> None:
    """Give each scope a new current key unless all of its rows still wait for the last one."""
    pending = {key_id for model, field in _encrypted_fields() for key_id in _key_ids(model, field)}
    current = DataKey.objects.filter(retired_at__isnull=True).exclude(scope=AUDIT_SCOPE)
    interrupted = DataKey.objects.filter(uid__in=pending, retired_at__isnull=False)
    if interrupted.exists():
        return
    for row in current.filter(uid__in=pending):
        with transaction.atomic():
            DataKey.objects.filter(pk=row.pk).update(retired_at=utc_now())
            fresh = DataKey(uid=new_uid(), scope=row.scope, org_id=row.org_id)
            wrap(fresh, secrets.token_bytes(KEY_BYTES))
            fresh.save()


def _key_ids(model: type[models.Model], field: str) -> set[str]:
    blobs = _rows(model, field).values_list(field, flat=True)
    return {key_id_of(blob) for blob in blobs.iterator()}


def _rows(model: type[models.Model], field: str) -> models.QuerySet[models.Model]:
    everything = model._base_manager.exclude(**{field: ""})  # noqa: SLF001 - the manager that sees all rows
    return everything.order_by("pk")


def _encrypted_fields() -> list[tuple[type[models.Model], str]]:
    return [
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, EncryptedJSONField)
    ]


def _reencrypt(model: type[models.Model], field: str, progress: Progress) -> int:
    keys: dict[int | None, OpenKey] = {}
    last, done = 0, 0
    while batch := list(
        _rows(model, field).filter(pk__gt=last).values_list("pk", flat=True)[:_BATCH]
    ):
        last = batch[-1]
        with transaction.atomic():
            locked = _rows(model, field).select_for_update().filter(pk__in=batch)
            renewed = [row for row in locked if _renew(row, field, keys)]
            model._base_manager.bulk_update(renewed, [field])  # noqa: SLF001 - the manager that sees all rows
        done += len(renewed)
        progress(len(batch))
    return done


def _renew(row: models.Model, field: str, keys: dict[int | None, OpenKey]) -> bool:
    value: SecretMap = getattr(row, field)
    assert value.origin is not None  # loaded rows have one
    org_id = value.origin[0]
    if org_id not in keys:
        keys[org_id] = key_for_org(org_id)
    if key_id_of(value.blob) == keys[org_id].uid:
        return False
    setattr(row, field, sealed_map(value.opened(), value.origin, keys[org_id]))
    return True
