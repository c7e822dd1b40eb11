"""From a reference to settings, remembered for a moment."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.datasources.models import Datasource
from apps.datasources.selectors import (
    datasource_list,
    datasource_resolve,
    datasource_types,
    resolution_forget,
)
from apps.datasources.selectors.resolution import memory_clear
from apps.datasources.services.datasources import datasource_delete
from apps.orgs.models import Org
from detectviz.resources.errors import NotFoundError
from tests.factories.datasources import make_datasource
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_org("acme")


def test_uid_name_and_default_lead_to_the_same_settings(org: Org) -> None:
    row = make_datasource(org, uid="stock-1", is_default=True)

    found = [datasource_resolve(org=org, ref=ref) for ref in ("stock-1", "warehouse", "")]

    assert {each.uid for each in found} == {"stock-1"}
    assert found[0].plugin == "shelf"
    assert found[0].settings.secrets == {"password": "hush"}
    assert found[0].settings.version == row.resource_version
    assert "hush" not in repr(found[0])


@pytest.mark.parametrize("ref", ["", "nothing", "a\x00b", "x" * 500, "é", "foreign"])
def test_what_is_not_there_is_not_found(org: Org, ref: str) -> None:
    make_datasource(make_org("other"), name="foreign", is_default=True)

    with pytest.raises(NotFoundError):
        datasource_resolve(org=org, ref=ref)


def test_new_defaults_of_the_plugin_are_filled_in(org: Org) -> None:
    make_datasource(org, json_data={})

    assert datasource_resolve(org=org, ref="warehouse").settings.json_data["depth"] == 3


def test_it_is_remembered_for_five_seconds(org: Org) -> None:
    make_datasource(org)
    now = [1000.0]
    memory_clear(clock=lambda: now[0])
    datasource_resolve(org=org, ref="warehouse")

    for later_s, is_asked in ((4.9, False), (5.1, True)):
        now[0] = 1000.0 + later_s
        with CaptureQueriesContext(connection) as asked:
            datasource_resolve(org=org, ref="warehouse")
        assert bool(len(asked)) is is_asked


def test_a_write_is_seen_at_once(org: Org, django_capture_on_commit_callbacks: Any) -> None:
    row = make_datasource(org)
    datasource_resolve(org=org, ref="warehouse")
    with django_capture_on_commit_callbacks(execute=True):
        datasource_delete(datasource=row)

    with pytest.raises(NotFoundError):
        datasource_resolve(org=org, ref="warehouse")


def test_what_was_read_before_a_write_is_not_remembered_after_it(org: Org) -> None:
    make_datasource(org)

    def be_overtaken(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        answer = execute(sql, params, many, context)
        resolution_forget(org.pk)
        return answer

    with connection.execute_wrapper(be_overtaken):
        datasource_resolve(org=org, ref="warehouse")
    Datasource.objects.for_org(org).update(url="http://new.example.org")

    assert datasource_resolve(org=org, ref="warehouse").settings.url == "http://new.example.org"


def test_lists_start_from_the_org(org: Org) -> None:
    make_datasource(org, name="b")
    make_datasource(org, name="a", type="other")
    make_datasource(make_org("other"), name="c")

    assert [row.name for row in datasource_list(org)] == ["a", "b"]
    assert [row.name for row in datasource_list(org, type_name="other")] == ["a"]
    assert datasource_types(org) == {"shelf": 1, "other": 1}
