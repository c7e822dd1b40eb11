"""The resource ``datasources/v1 Datasource`` over REST and apply."""

from typing import Any

import pytest
from django.test import Client

from apps.audit.models import AuditEvent
from apps.datasources.models import Datasource
from apps.orgs.models import Org
from tests.factories.datasources import make_datasource
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
LIST = "/apis/datasources/v1/orgs/acme/datasources"
ONE = f"{LIST}/warehouse"
SPEC: dict[str, Any] = {
    "type": "shelf",
    "url": "db.example.org:5432",
    "secure_json_data": {"password": "hush"},
}


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def admin(acme: Org) -> Client:
    return make_browser(acme, "admin")


def put(client: Client, spec: dict[str, Any], **metadata: Any) -> Any:
    return client.put(ONE, {"spec": spec, "metadata": metadata}, content_type="application/json")


def test_what_is_written_is_read_back_without_its_secrets(admin: Client) -> None:
    assert put(admin, SPEC).status_code == 201

    answer = admin.get(ONE)
    body = answer.json()
    assert body["spec"]["json_data"] == {"depth": 3, "via": ""}
    assert body["spec"]["secure_json_data"] == {"password": {"set": True}}
    assert body["spec"]["uid"] == body["metadata"]["uid"]
    assert body["status"]["health"] == "unknown"
    assert "hush" not in answer.content.decode()
    assert put(admin, body["spec"]).json()["metadata"]["resource_version"] == 1


def test_a_stale_version_is_a_conflict(admin: Client) -> None:
    put(admin, SPEC)
    put(admin, {**SPEC, "title": "New"})

    stale = put(admin, {**SPEC, "title": "Newer"}, resource_version=1)

    assert stale.status_code == 409
    assert put(admin, {**SPEC, "title": "Newer"}, resource_version=2).status_code == 200


def test_a_taken_uid_is_a_conflict_and_a_foreign_one_is_not(admin: Client, acme: Org) -> None:
    make_datasource(acme, name="other", uid="taken")
    make_datasource(make_org("rival"), name="other", uid="foreign")

    assert put(admin, {**SPEC, "uid": "taken"}).status_code == 409
    assert put(admin, {**SPEC, "uid": "foreign"}).status_code == 201


def test_a_wrong_field_is_named(admin: Client) -> None:
    answer = put(admin, {**SPEC, "json_data": {"depth": "deep"}, "is_default": "maybe"})

    assert answer.status_code == 422
    assert "spec.is_default" in answer.content.decode()


def test_a_read_only_one_is_neither_changed_nor_deleted(admin: Client, acme: Org) -> None:
    make_datasource(acme, read_only=True, provisioned_from="a.yaml")
    patch = {"spec": {"title": "New"}}

    assert admin.patch(ONE, patch, content_type="application/json").status_code == 409
    assert admin.delete(ONE).status_code == 409
    assert "a.yaml" in admin.delete(ONE).json()["detail"]
    assert admin.patch(ONE, {"spec": {}}, content_type="application/json").status_code == 200


def test_lists_filter_by_type_and_health(admin: Client, acme: Org) -> None:
    make_datasource(acme, name="a", health_status="ok")
    make_datasource(acme, name="b", type="other")

    for selector, name in (("spec.type=other", "b"), ("status.health=ok", "a")):
        items = admin.get(LIST, {"field_selector": selector}).json()["items"]
        assert [item["metadata"]["name"] for item in items] == [name]


def test_writes_are_audited_and_so_is_the_default_that_went(admin: Client, acme: Org) -> None:
    make_datasource(acme, name="first", is_default=True)

    put(admin, {**SPEC, "is_default": True})

    events = AuditEvent.objects.filter(org_id=acme.pk, kind="Datasource")
    assert {(event.name, event.action.rpartition(".")[2]) for event in events} == {
        ("warehouse", "create"),
        ("first", "update"),
    }
    assert not any("hush" in str(vars(event)) for event in events)


def test_roles_may_what_the_table_says(acme: Org) -> None:
    make_datasource(acme)
    for role, read, write in (("viewer", 200, 403), ("operator", 200, 403), ("admin", 200, 200)):
        client = make_browser(acme, role)
        assert client.get(ONE).status_code == read
        assert put(client, {**SPEC, "title": role}).status_code == write
    assert Datasource.objects.for_org(acme).get().title == "admin"
