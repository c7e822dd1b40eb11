"""Many texts, or keys, are one parameter."""

from typing import Any

import pytest

from apps.notifications.models import RoutedAlert
from detectviz.clock import utc_now
from detectviz.tenancy.listed import Keys, Texts
from detectviz.tenancy.writing import columns_write
from tests.factories.orgs import make_org


@pytest.mark.django_db
def test_rows_are_found_by_any_number_of_texts(django_assert_num_queries: Any) -> None:
    org = make_org("acme")
    names = ["a'b", 'c"d', "é", "other"]
    columns: dict[str, list[Any]] = {"fingerprint": names, "labels": [{}] * len(names)}
    columns_write(RoutedAlert, columns, same={"org_id": org.pk, "starts_at": utc_now()})
    rows = RoutedAlert.objects.for_org(org).order_by("pk").values_list("fingerprint", flat=True)
    wanted = [*names[:3], *(f"x{number}" for number in range(2000))]
    with django_assert_num_queries(1):
        assert list(rows.filter(fingerprint__in=Texts(wanted))) == names[:3]
    assert list(rows.filter(fingerprint__in=Texts([]))) == []
    assert list(rows.exclude(fingerprint__in=Texts(wanted))) == ["other"]


@pytest.mark.django_db
def test_rows_are_written_by_any_number_of_keys(django_assert_num_queries: Any) -> None:
    org = make_org("acme")
    columns: dict[str, list[Any]] = {"fingerprint": ["a", "b", "c"], "labels": [{}] * 3}
    columns_write(RoutedAlert, columns, same={"org_id": org.pk, "starts_at": utc_now()})
    rows = RoutedAlert.objects.for_org(org).order_by("pk")
    first, second, _ = rows.values_list("pk", flat=True)
    with django_assert_num_queries(1):
        rows.filter(pk__in=Keys([first, second, *range(10**9, 10**9 + 2000)])).update(value=1.5)
    assert list(rows.values_list("value", flat=True)) == [1.5, 1.5, None]
