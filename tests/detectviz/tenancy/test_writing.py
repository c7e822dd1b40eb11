"""Thousands of rows by one statement say what saving each of them would."""

from typing import Any

import pytest

from apps.notifications.models import RoutedAlert
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.tenancy.writing import columns_write, rows_write, values_prepare
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
NOW = utc_now()
UNIQUE = ("org", "fingerprint")


@pytest.fixture
def org() -> Org:
    return make_org("acme")


def stored(org: Org) -> dict[str, RoutedAlert]:
    return {row.fingerprint: row for row in RoutedAlert.objects.for_org(org)}


def columns(*names: str, **more: Any) -> dict[str, Any]:
    labels = [{"alertname": name} for name in names]
    return {"fingerprint": list(names), "labels": labels, **more}


def test_a_column_a_value_for_all_and_a_default(org: Org) -> None:
    columns_write(RoutedAlert, columns("a", "b"), same={"org_id": org.pk, "starts_at": NOW})
    rows = stored(org)
    assert [row.labels for row in rows.values()] == [{"alertname": "a"}, {"alertname": "b"}]
    assert {row.starts_at for row in rows.values()} == {NOW}
    assert {(row.version, str(row.annotations), row.rule) for row in rows.values()} == {
        (1, "{}", "")
    }
    assert rows["a"].updated_at >= NOW


def test_what_is_there_is_changed_or_counted_or_left(org: Org) -> None:
    same = {"org_id": org.pk, "starts_at": NOW}
    columns_write(RoutedAlert, columns("a"), same=same)
    again = columns("a", "b", rule=["new", "new"])
    columns_write(RoutedAlert, again, same=same, unique=UNIQUE)
    assert (stored(org)["a"].rule, stored(org)["b"].rule) == ("", "new")
    columns_write(
        RoutedAlert, again, same=same, unique=UNIQUE, update=("rule",), counted=("version",)
    )
    assert [(row.rule, row.version) for row in stored(org).values()] == [("new", 2), ("new", 2)]


def test_values_prepared_once_serve_twice(org: Org) -> None:
    given = columns("a")
    given["labels"] = values_prepare(RoutedAlert, "labels", given["labels"])
    given["annotations"] = given["labels"]
    columns_write(RoutedAlert, given, same={"org_id": org.pk, "starts_at": NOW})
    assert stored(org)["a"].annotations == {"alertname": "a"}


def test_objects_are_written_as_they_would_be_saved(org: Org) -> None:
    row = RoutedAlert(org=org, fingerprint="a", labels={}, starts_at=NOW, value=1.5)
    rows_write([row])
    rows_write([])
    assert (stored(org)["a"].value, stored(org)["a"].is_external) == (1.5, False)


def test_no_rows_are_no_statement(org: Org, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        columns_write(RoutedAlert, {"fingerprint": []}, same={"org_id": org.pk})
