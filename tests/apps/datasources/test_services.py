"""Writing datasources, as every door does."""

from typing import Any

import pytest

from apps.datasources.errors import ReadOnlyError
from apps.datasources.models import Datasource
from apps.datasources.services.datasources import provisioning_scope
from apps.orgs.models import Org
from detectviz.resources.errors import ConflictError, InvalidFieldsError
from detectviz.resources.registry import registry
from detectviz.resources.services import WriteResult, resource_delete, resource_write
from tests.factories.datasources import make_datasource
from tests.factories.orgs import make_org

pytestmark = pytest.mark.usefixtures("database")
SPEC: dict[str, Any] = {"title": "Stock", "type": "shelf", "url": "db.example.org:5432"}


@pytest.fixture
def org() -> Org:
    return make_org("acme")


def write(org: Org, name: str = "stock", **changes: Any) -> WriteResult:
    kind = registry.by_kind("datasources/v1", "Datasource")
    assert kind is not None
    spec = {**SPEC, **changes}
    spec = {key: value for key, value in spec.items() if value is not ...}
    return resource_write(kind, org=org, actor=None, name=name, spec=spec)


def refused(org: Org, **changes: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidFieldsError) as refusal:
        write(org, **changes)
    return refusal.value.fields


def test_defaults_are_filled_and_secrets_are_apart(org: Org) -> None:
    row = write(org, secure_json_data={"password": "hush"}).instance

    assert row.json_data == {"depth": 3, "via": ""}
    assert dict(row.secure_json_data) == {"password": "hush"}
    assert len(row.uid) == 20


def test_a_uid_may_be_given_in_two_orgs_and_never_changes(org: Org) -> None:
    other = make_org("other")

    assert write(org, uid="stock-1").instance.uid == "stock-1"
    assert write(other, uid="stock-1").instance.uid == "stock-1"
    assert write(org, title="New").instance.uid == "stock-1"
    assert "spec.uid" in refused(org, uid="stock-2")


def test_a_uid_or_a_name_that_is_taken_is_refused(org: Org) -> None:
    write(org, uid="stock-1")

    for name, uid in (("second", "stock-1"), ("second", "stock"), ("stock-1", "third")):
        with pytest.raises(ConflictError, match="another datasource"):
            write(org, name=name, uid=uid)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "nothing"}, "spec.type"),
        ({"url": ""}, "spec.url"),
        ({"url": "a b"}, "spec.url"),
        ({"url": "http://user:hush@db.example.org"}, "spec.url"),
        ({"url": "http://[::1"}, "spec.url"),
        ({"json_data": {"depth": 0}}, "spec.json_data.depth"),
        ({"json_data": {"deep": 1}}, "spec.json_data.deep"),
        ({"json_data": {"password": "x"}}, "spec.json_data.password"),
        ({"secure_json_data": {"pass": "x"}}, "spec.secure_json_data.pass"),
        ({"secure_json_data": {"password": 1}}, "spec.secure_json_data.password"),
        ({"access": "other"}, "spec.access"),
        ({"read_only": True}, "spec.read_only"),
        ({"uid": "no/uid"}, "spec.uid"),
    ],
)
def test_a_wrong_field_is_named(org: Org, changes: dict[str, Any], field: str) -> None:
    assert list(refused(org, **changes)) == [field]


@pytest.mark.parametrize(
    "change",
    [
        {"url": "elsewhere.example.org:5432"},
        {"url": "db.example.org:5433"},
        {"url": "http://db.example.org:5432"},
        {"json_data": {"via": "proxy.example.org"}},
    ],
)
def test_a_stored_secret_must_be_entered_again_when_it_would_go_elsewhere(
    org: Org, change: dict[str, Any]
) -> None:
    write(org, secure_json_data={"password": "hush"})

    assert list(refused(org, **change)) == ["spec.secure_json_data.password"]
    assert write(org, **change, secure_json_data={"password": "new"}).outcome == "updated"


def test_a_stored_secret_stays_where_only_the_rest_changes(org: Org) -> None:
    write(org, secure_json_data={"password": "hush"})

    row = write(org, url="DB.example.org:5432", user="reader", database="app").instance

    assert dict(row.secure_json_data) == {"password": "hush"}


def test_an_unchanged_spec_changes_nothing(org: Org) -> None:
    assert write(org).outcome == "created"
    assert write(org).outcome == "unchanged"
    assert write(org, title="New").instance.resource_version == 2


def test_the_default_moves_and_there_is_never_more_than_one(org: Org) -> None:
    first = write(org, name="first", is_default=True).instance
    second = write(org, name="second", is_default=True).instance

    first.refresh_from_db()
    assert (first.is_default, first.resource_version) == (False, 2)
    assert second.is_default
    assert Datasource.objects.for_org(org).filter(is_default=True).count() == 1


def test_a_provisioned_one_is_changed_by_provisioning_alone(org: Org) -> None:
    with provisioning_scope("stock.yaml"):
        row = write(org, read_only=True, is_default=True).instance

    assert row.provisioned_from == "stock.yaml"
    assert write(org, is_default=True).outcome == "unchanged"
    with pytest.raises(ReadOnlyError, match=r"stock\.yaml"):
        write(org, title="New", is_default=True)
    with pytest.raises(ReadOnlyError):
        write(org, name="usurper", is_default=True)
    kind = registry.by_kind("datasources/v1", "Datasource")
    assert kind is not None
    with pytest.raises(ReadOnlyError):
        resource_delete(kind, org=org, actor=None, name="stock")
    with provisioning_scope("stock.yaml"):
        assert write(org, title="New", read_only=True).outcome == "updated"
        resource_delete(kind, org=org, actor=None, name="stock")
    assert not Datasource.objects.for_org(org).exists()


def test_health_is_forgotten_with_a_change(org: Org) -> None:
    row = make_datasource(org, name="stock", health_status="ok", health_message="fine")

    write(org, title="New", secure_json_data={"password": "hush"})

    row.refresh_from_db()
    assert (row.health_status, row.health_message) == ("", "")
