"""Thousands of rows by one statement say what saving each of them would."""

from datetime import timedelta, timezone
from typing import Any

import pytest

from apps.alerting.enums import AlertState
from apps.notifications.models import RoutedAlert
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.tenancy.writing import columns_update, columns_write, rows_write, values_prepare
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
NOW = utc_now()
UNIQUE = ("org", "fingerprint")


@pytest.fixture
def org() -> Org:
    return make_org("acme")


def stored(org: Org) -> dict[str, RoutedAlert]:
    return {
        row.fingerprint: row for row in RoutedAlert.objects.for_org(org).order_by("fingerprint")
    }


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


def test_columns_of_rows_are_changed_by_key_and_others_left(org: Org) -> None:
    columns_write(RoutedAlert, columns("a", "b", "c"), same={"org_id": org.pk, "starts_at": NOW})
    keys = {name: row.pk for name, row in stored(org).items()}
    given: dict[str, list[Any]] = {"rule": ["one", "two"], "ends_at": [NOW, None]}
    columns_update(RoutedAlert, [keys["a"], keys["b"]], given, same={"is_timeout": True})
    columns_update(RoutedAlert, [], {"rule": []}, same={})
    written = {name: (row.rule, row.ends_at, row.is_timeout) for name, row in stored(org).items()}
    assert written == {"a": ("one", NOW, True), "b": ("two", None, True), "c": ("", None, False)}


def test_columns_of_some_rows_change_and_texts_are_prepared_for_each(org: Org) -> None:
    columns_write(RoutedAlert, columns("a", "b"), same={"org_id": org.pk, "starts_at": NOW})
    columns_update(RoutedAlert, [stored(org)["a"].pk], {"annotations": [{"x": "1"}]})
    assert {name: row.annotations for name, row in stored(org).items()} == {
        "a": {"x": "1"},
        "b": {},
    }


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


def test_a_value_and_its_equal_of_another_type_stay_apart(org: Org) -> None:
    same = {"org_id": org.pk, "starts_at": NOW}
    given = columns("a", "b", "c", "d")
    given |= {
        "value": [1, 1.0, None, True],
        "rule": [AlertState.FIRING, "firing", "", "x"],
        "annotations": [{"text": "é\n"}, {}, {"a": "b"}, {}],
        "ends_at": [NOW, None, NOW.astimezone(timezone(timedelta(hours=2))), NOW],
    }
    columns_write(RoutedAlert, given, same=same)
    rows = list(stored(org).values())
    assert [row.value for row in rows] == [1.0, 1.0, None, 1.0]
    assert [row.rule for row in rows] == ["firing", "firing", "", "x"]
    assert [row.annotations for row in rows] == given["annotations"]
    assert [row.ends_at for row in rows] == [NOW, None, NOW, NOW]


def test_no_rows_are_no_statement(org: Org, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        columns_write(RoutedAlert, {"fingerprint": []}, same={"org_id": org.pk})
