import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.core.serializers import serialize
from django.db import connection, models
from pytest_django import DjangoAssertNumQueries, Settings

from apps.orgs.models import Org
from detectviz.crypto.datakeys import cache
from detectviz.crypto.errors import (
    CryptoError,
    SealBrokenError,
    UnknownKeyError,
    WrongMasterKeysError,
)
from detectviz.crypto.fields import EncryptedJSONField, SecretMap
from detectviz.crypto.models import DataKey
from detectviz.crypto.services import keys_rotate, mac_key, platform_key_ensure
from detectviz.resources.models import new_uid
from tests.factories.orgs import make_org

OLD, NEW = "old:the-first-master-secret", "new:the-second-master-secret"
TABLE = """
CREATE TABLE crypto_vault (
    id {serial} PRIMARY KEY, org_id bigint NULL, uid varchar(32) NOT NULL,
    secrets text NOT NULL, spare text NOT NULL
)
"""
SERIAL = {"sqlite": "integer", "postgresql": "bigserial"}


@pytest.fixture(scope="module")
def vault_model() -> Iterator[type[models.Model]]:
    class Vault(models.Model):  # noqa: DJ008 - lives for a test
        org = models.ForeignKey(Org, on_delete=models.CASCADE, null=True, related_name="+")
        uid = models.CharField(max_length=32, default=new_uid)
        secrets = EncryptedJSONField()
        spare = EncryptedJSONField()

        class Meta:
            app_label = "crypto"

    yield Vault
    del apps.all_models["crypto"]["vault"]
    apps.clear_cache()


@pytest.fixture
def vault(
    vault_model: type[models.Model], db: None, settings: Settings
) -> Iterator[type[models.Model]]:
    settings.MASTER_KEYS = OLD
    with connection.cursor() as cursor:
        cursor.execute(TABLE.format(serial=SERIAL[connection.vendor]))
    yield vault_model
    cache.clear()


def stored(row: Any, field: str = "secrets") -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {field} FROM crypto_vault WHERE id = %s", [row.pk])
        return str(cursor.fetchone()[0])


def overwrite(row: Any, value: str, field: str = "secrets") -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE crypto_vault SET {field} = %s WHERE id = %s", [value, row.pk])


def test_secrets_come_back_and_are_unreadable_in_the_database(vault: Any) -> None:
    row = vault.objects.create(org=make_org(), secrets={"token": "hunter2"})
    assert "hunter2" not in stored(row)
    assert "token" not in stored(row)
    again = vault.objects.get(pk=row.pk)
    assert dict(again.secrets) == {"token": "hunter2"}
    assert again.secrets | {"more": "x"} == {"token": "hunter2", "more": "x"}
    assert not again.spare


def test_rows_of_the_platform_have_a_key_of_their_own(vault: Any) -> None:
    row = vault.objects.create(org=None, secrets={"token": "hunter2"})
    assert vault.objects.get(pk=row.pk).secrets["token"] == "hunter2"
    assert DataKey.objects.get().scope == "platform"


def test_nothing_shows_a_secret(vault: Any) -> None:
    row = vault.objects.create(org=make_org(), secrets={"token": "hunter2"})
    again = vault.objects.get(pk=row.pk)
    again.secrets.opened()
    shown = f"{again.secrets!r} {again.secrets} {vars(again)} {serialize('json', [again])}"
    assert "hunter2" not in shown
    assert b"hunter2" not in pickle.dumps(again)
    assert pickle.loads(pickle.dumps(again)).secrets["token"] == "hunter2"
    with pytest.raises(TypeError):
        json.dumps(again.secrets)


def test_reading_a_row_decrypts_nothing(
    vault: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    row = vault.objects.create(org=make_org(), secrets={"token": "hunter2"})
    overwrite(row, "dv1.gone.AAAA")
    with django_assert_num_queries(1):
        again = vault.objects.get(pk=row.pk)
        assert isinstance(again.secrets, SecretMap)
    with pytest.raises(UnknownKeyError):
        dict(again.secrets)


def test_opening_many_rows_asks_for_the_key_once(
    vault: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    org = make_org()
    for number in range(5):
        vault.objects.create(org=org, secrets={"n": str(number)})
    cache.clear()
    with django_assert_num_queries(2):
        assert [row.secrets["n"] for row in vault.objects.order_by("pk")] == list("01234")


def test_an_envelope_moved_to_another_row_field_or_org_does_not_open(vault: Any) -> None:
    acme, other = make_org("acme"), make_org("other")
    source = vault.objects.create(org=acme, secrets={"token": "hunter2"})
    neighbour = vault.objects.create(org=acme, secrets={"a": "b"})
    foreign = vault.objects.create(org=other, secrets={"a": "b"})
    overwrite(neighbour, stored(source))
    overwrite(foreign, stored(source))
    overwrite(source, stored(source), "spare")
    for row, field in ((neighbour, "secrets"), (foreign, "secrets"), (source, "spare")):
        with pytest.raises(SealBrokenError):
            dict(getattr(vault.objects.get(pk=row.pk), field))


def test_a_wrong_master_key_reads_nothing_and_overwrites_nothing(
    vault: Any, settings: Settings
) -> None:
    row = vault.objects.create(org=make_org(), secrets={"token": "hunter2"})
    before = stored(row)
    cache.clear()
    settings.MASTER_KEYS = "old:an-entirely-wrong-secret"
    again = vault.objects.get(pk=row.pk)
    with pytest.raises(SealBrokenError):
        again.secrets["token"]
    again.save()
    assert stored(row) == before
    with pytest.raises(CryptoError):
        vault.objects.create(org=again.org, secrets={"token": "new"})


def test_saving_other_fields_keeps_the_envelope(vault: Any) -> None:
    row = vault.objects.create(org=make_org(), secrets={"token": "hunter2"})
    before = stored(row)
    again = vault.objects.get(pk=row.pk)
    assert again.secrets["token"] == "hunter2"
    again.spare = {"more": "x"}
    again.save()
    assert stored(row) == before


def test_a_copy_of_a_row_is_sealed_for_itself_once_read(vault: Any) -> None:
    row = vault.objects.create(org=make_org(), secrets={"token": "hunter2"})
    copy = vault.objects.get(pk=row.pk)
    copy.secrets.opened()
    copy.pk, copy.uid = None, new_uid()
    copy.save()
    assert vault.objects.get(pk=copy.pk).secrets["token"] == "hunter2"
    blind = vault.objects.get(pk=row.pk)
    blind.pk, blind.uid, blind._state.adding = None, new_uid(), True
    with pytest.raises(SealBrokenError):
        blind.save()


def test_only_an_instance_can_be_saved_with_secrets(vault: Any) -> None:
    row = vault.objects.create(org=make_org(), secrets={})
    with pytest.raises(CryptoError):
        vault.objects.filter(pk=row.pk).update(secrets={"token": "hunter2"})
    for wrong in ("hunter2", {"n": 1}, ["x"], None):
        with pytest.raises(TypeError):
            row.secrets = wrong


def test_deferred_and_bulk_created_secrets_work(vault: Any) -> None:
    org = make_org()
    vault.objects.bulk_create([vault(org=org, secrets={"n": str(n)}) for n in range(2)])
    rows = vault.objects.defer("secrets").order_by("pk")
    assert [row.secrets["n"] for row in rows] == ["0", "1"]
    rows[0].refresh_from_db()


def test_rotating_wraps_data_keys_anew_and_old_master_keys_can_go(
    vault: Any, settings: Settings
) -> None:
    row = vault.objects.create(org=make_org(), secrets={"token": "hunter2"})
    mac = mac_key("audit")
    before = stored(row)
    settings.MASTER_KEYS = f"{NEW},{OLD}"
    assert keys_rotate().rewrapped == 2
    assert keys_rotate().rewrapped == 0
    settings.MASTER_KEYS = NEW
    cache.clear()
    assert stored(row) == before
    assert vault.objects.get(pk=row.pk).secrets["token"] == "hunter2"
    assert mac_key("audit") == mac


def test_rotating_data_keys_encrypts_every_row_anew(vault: Any) -> None:
    rows = [vault.objects.create(org=make_org(f"o{n}"), secrets={"n": str(n)}) for n in range(3)]
    before = [stored(row) for row in rows]
    seen: list[int] = []
    assert keys_rotate(data_keys=True, progress=seen.append).reencrypted == 3
    assert sum(seen) == 3
    assert not set(before) & {stored(row) for row in rows}
    assert [vault.objects.get(pk=row.pk).secrets["n"] for row in rows] == ["0", "1", "2"]
    assert DataKey.objects.filter(retired_at__isnull=True).count() == 3


def test_an_interrupted_rotation_goes_on_where_it_stopped(vault: Any) -> None:
    org = make_org()
    rows = [vault.objects.create(org=org, secrets={"n": str(n)}) for n in range(2)]
    stale = stored(rows[1])
    keys_rotate(data_keys=True)
    done = stored(rows[0])
    overwrite(rows[1], stale)
    assert keys_rotate(data_keys=True).reencrypted == 1
    assert stored(rows[0]) == done
    assert vault.objects.get(pk=rows[1].pk).secrets["n"] == "1"


def test_rotating_without_the_old_master_key_changes_nothing(
    vault: Any, settings: Settings
) -> None:
    row = vault.objects.create(org=make_org(), secrets={"token": "hunter2"})
    wrapped = DataKey.objects.get().wrapped
    settings.MASTER_KEYS = NEW
    cache.clear()
    with pytest.raises(UnknownKeyError, match="'old'"):
        keys_rotate()
    assert DataKey.objects.get().wrapped == wrapped
    assert "dv1." in stored(row)


def test_deleting_an_org_deletes_its_keys(vault: Any) -> None:
    org = make_org()
    vault.objects.create(org=org, secrets={"token": "hunter2"}).delete()
    org.delete()
    assert not DataKey.objects.exists()


def test_the_checks_tell_master_keys_that_open_nothing(vault: Any, settings: Settings) -> None:
    def found() -> set[str | None]:
        return {message.id for message in run_checks(databases=["default"])}

    platform_key_ensure()
    assert not found() & {"detectviz.E202", "detectviz.E203"}
    cache.clear()
    settings.MASTER_KEYS = "old:an-entirely-wrong-secret"
    assert "detectviz.E203" in found()
    settings.MASTER_KEYS = NEW
    assert "detectviz.E203" in found()
    with pytest.raises(WrongMasterKeysError, match="DETECTVIZ_MASTER_KEYS"):
        platform_key_ensure()
    settings.MASTER_KEYS = "short"
    assert found() >= {"detectviz.E202", "detectviz.E203"}


def test_a_model_without_org_and_uid_can_not_hold_secrets(vault_model: type[models.Model]) -> None:
    field = EncryptedJSONField()
    field.set_attributes_from_name("secrets")
    field.model = DataKey.org.field.related_model
    assert [message.id for message in field.check()] == ["detectviz.E201"]
