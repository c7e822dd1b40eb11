"""What programs may do is remembered for a moment, and forgotten when it changes."""

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import ApiKey
from apps.accounts.services.apikeys import apikey_authenticate
from detectviz.clock import utc_now
from detectviz.permissions import memory
from detectviz.permissions.memory import REMEMBERED_S, Memory, access_changed
from tests.factories.accounts import make_api_key, make_member
from tests.factories.orgs import make_org


def test_a_value_is_remembered_for_two_seconds() -> None:
    now = [100.0]
    remembered: Memory[str] = Memory(clock=lambda: now[0])
    remembered.put("key", "value")
    now[0] += REMEMBERED_S - 0.01
    assert remembered.get("key") == "value"
    now[0] += 0.02
    assert remembered.get("key") is None


def test_it_never_grows_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MOST_ENTRIES", 3)
    remembered: Memory[int] = Memory()
    for number in range(5):
        remembered.put(number, number)
    assert [remembered.get(number) for number in range(5)] == [None, None, None, 3, 4]


@pytest.mark.django_db(transaction=True)
def test_what_was_remembered_during_a_change_is_forgotten_when_it_is_done() -> None:
    remembered: Memory[str] = Memory()
    with transaction.atomic():
        access_changed()
        remembered.put("key", "as it was before")
    assert remembered.get("key") is None


@pytest.mark.django_db
def test_a_known_key_needs_no_query_and_a_revoked_one_is_refused_at_once(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    org = make_org()
    key = make_api_key(org, make_member(org, role="admin"))
    assert apikey_authenticate(token=key.token, now=utc_now()) is not None
    with django_assert_num_queries(0):
        assert apikey_authenticate(token=key.token, now=utc_now()) is not None
    stored = ApiKey.objects.for_org(org).get(pk=key.pk)
    stored.revoked_at = utc_now()
    stored.save()
    assert apikey_authenticate(token=key.token, now=utc_now()) is None


@pytest.mark.django_db
def test_a_person_taken_from_the_org_is_out_at_once() -> None:
    org = make_org()
    user = make_member(org, role="admin")
    key = make_api_key(org, user)
    path = f"/apis/core/v1/orgs/{org}/folders"
    client = Client(headers={"Authorization": f"Bearer {key.token}"})
    assert client.get(path).status_code == 200
    user.is_active = False
    user.save()
    assert client.get(path).status_code == 401
