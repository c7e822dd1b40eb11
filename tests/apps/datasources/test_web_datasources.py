"""The pages about datasources."""

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.datasources.models import Datasource
from apps.datasources.selectors import datasource_types
from apps.orgs.models import Org
from tests.factories.datasources import make_datasource
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
LIST = "/o/acme/datasources"
NEW = f"{LIST}/new/shelf"
DETAIL = f"{LIST}/d/warehouse"
FORM = {
    "name": "warehouse",
    "title": "Warehouse",
    "url": "http://db.example.org:5432",
    "database": "good",
    "user": "reader",
    "json_data/depth": "4",
    "json_data/password": "hush",
}


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def stored(org: Org) -> Datasource:
    row: Datasource = Datasource.objects.for_org(org).get()
    return row


def test_an_empty_list_teaches_the_next_step(acme: Org) -> None:
    html = make_browser(acme, "admin").get(LIST).content.decode()

    assert "No datasource yet" in html
    assert f'href="{LIST}/new"' in html
    assert f'href="{LIST}/new"' not in make_browser(acme, "viewer").get(LIST).content.decode()


def test_the_list_shows_type_health_and_what_is_special(acme: Org) -> None:
    make_datasource(acme, is_default=True, read_only=True, health_status="error")
    make_datasource(acme, name="gone", type="vanished")

    html = make_browser(acme, "viewer").get(LIST).content.decode()

    for words in ("Warehouse", "Shelf", "Fails", "default", "provisioned", "not usable"):
        assert words in html
    assert "hush" not in html


def test_the_list_takes_the_same_queries_however_long_it_is(
    acme: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for index in range(20):
        make_datasource(acme, f"shelf-{index}")
    browser = make_browser(acme)
    with django_assert_max_num_queries(12):
        browser.get(LIST)


def test_every_usable_plugin_is_offered(acme: Org) -> None:
    browser = make_browser(acme, "admin")

    assert f'href="{NEW}"' in browser.get(f"{LIST}/new").content.decode()
    assert browser.get(f"{LIST}/new/nothing").status_code == 404


def test_the_form_is_made_from_the_schema_of_the_plugin(acme: Org) -> None:
    html = make_browser(acme, "admin").get(NEW).content.decode()

    for name in ("url", "user", "database", "json_data/depth", "json_data/password", "uid"):
        assert f'name="{name}"' in html
    assert 'name="basic_auth"' not in html
    assert "Address" in html


def test_save_and_test_saves_and_tests(acme: Org) -> None:
    answer = make_browser(acme, "admin").post(NEW, {**FORM, "and_test": "1"})

    row = stored(acme)
    assert answer["Location"] == DETAIL
    assert (row.title, row.user, row.json_data["depth"]) == ("Warehouse", "reader", 4)
    assert dict(row.secure_json_data) == {"password": "hush"}
    assert (row.health_status, row.health_message) == ("ok", "good is ok")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": ""}, "f-url"),
        ({"json_data/depth": "0"}, "f-json_data-depth"),
        ({"name": "Not A Name"}, "f-name"),
        ({"uid": "no uid"}, "f-uid"),
    ],
)
def test_an_error_stands_at_its_field_and_nothing_is_written(
    acme: Org, change: dict[str, str], field: str
) -> None:
    answer = make_browser(acme, "admin").post(NEW, {**FORM, **change})

    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'href="#{field}' in html
    assert "hush" not in html
    assert not Datasource.objects.for_org(acme).exists()


def test_an_edit_keeps_the_secret_until_the_host_changes(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    browser.post(NEW, FORM)
    kept = {**FORM, "title": "New", "database": "", "json_data/password": ""}

    assert browser.post(f"{DETAIL}/edit", kept).status_code == 302
    assert stored(acme).database == ""
    moved = browser.post(f"{DETAIL}/edit", {**kept, "url": "http://other.example.org"})

    assert moved.status_code == 422
    assert 'href="#f-json_data-password' in moved.content.decode()
    assert dict(stored(acme).secure_json_data) == {"password": "hush"}


def test_a_stale_form_is_refused(acme: Org) -> None:
    make_datasource(acme)
    browser = make_browser(acme, "admin")

    answer = browser.post(f"{DETAIL}/edit", {**FORM, "resource_version": "7"})

    assert answer.status_code == 422
    assert "read it again" in answer.content.decode()


def test_the_page_of_one_shows_its_settings_without_secrets(acme: Org) -> None:
    make_datasource(acme, user="reader", json_data={"depth": 9, "via": ""})

    html = make_browser(acme, "viewer").get(DETAIL).content.decode()

    for words in ("reader", "Depth", "password", "not been tested"):
        assert words in html
    assert "hush" not in html
    for action in ("edit", "test", "clone", "delete"):
        assert f"{DETAIL}/{action}" not in html


def test_a_test_shows_what_was_found(acme: Org) -> None:
    make_datasource(acme, database="bad")

    html = make_browser(acme).post(f"{DETAIL}/test", headers=HTMX).content.decode()

    assert "bad is error" in html
    assert "Fails" in html


def test_a_provisioned_one_is_shown_and_not_changed(acme: Org) -> None:
    make_datasource(acme, read_only=True, provisioned_from="stock.yaml")
    browser = make_browser(acme, "admin")

    html = browser.get(DETAIL).content.decode()
    assert "stock.yaml" in html
    assert f"{DETAIL}/edit" not in html
    assert browser.get(f"{DETAIL}/edit")["Location"] == DETAIL
    assert browser.post(f"{DETAIL}/edit", FORM).status_code == 422
    assert browser.post(f"{DETAIL}/delete").status_code == 409
    assert stored(acme).title == "Warehouse"


def test_a_clone_has_the_secrets_and_nothing_that_is_unique(acme: Org) -> None:
    source = make_datasource(acme, is_default=True, read_only=True, labels={"team": "web"})
    browser = make_browser(acme, "admin")

    for name in ("warehouse-copy", "warehouse-copy-2"):
        assert browser.post(f"{DETAIL}/clone")["Location"] == f"{LIST}/d/{name}"
        clone = Datasource.objects.for_org(acme).get(name=name)
        assert dict(clone.secure_json_data) == {"password": "hush"}
        assert clone.labels == {"team": "web"}
        assert not clone.is_default
        assert not clone.read_only
        assert clone.uid != source.uid
    assert datasource_types(acme) == {"shelf": 3}


def test_a_deleted_one_is_gone(acme: Org) -> None:
    make_datasource(acme)

    assert make_browser(acme, "admin").post(f"{DETAIL}/delete")["Location"] == LIST
    assert not Datasource.objects.for_org(acme).exists()
