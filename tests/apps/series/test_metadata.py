"""What senders say about their metrics."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.series.selectors.metadata import MetricDescription, metadata_list
from apps.series.services import metadata_record
from apps.series.services.metadata import CALMING
from tests.factories.orgs import make_org

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UP = MetricDescription(metric="up", type="gauge", help="Whether it is there.")


@pytest.mark.django_db
def test_what_a_sender_says_is_kept_and_changes_with_the_next_after_a_while() -> None:
    org = make_org()
    assert metadata_record(org=org, said=[UP], now=NOW) == 1
    changed = MetricDescription(metric="up", type="counter", unit="seconds")
    assert metadata_record(org=org, said=[changed], now=NOW + timedelta(seconds=1)) == 0
    assert metadata_list(org) == [UP]
    assert metadata_record(org=org, said=[changed], now=NOW + CALMING) == 1
    assert metadata_list(org, metric="up") == [changed]


@pytest.mark.django_db(transaction=True)
def test_what_was_said_before_costs_no_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    org = make_org()
    metadata_record(org=org, said=[UP], now=NOW)
    with django_assert_num_queries(0):
        assert metadata_record(org=org, said=[UP], now=NOW) == 0


@pytest.mark.django_db
def test_each_org_has_its_own() -> None:
    acme, rival = make_org(), make_org("rival")
    metadata_record(org=acme, said=[UP], now=NOW)
    assert metadata_list(rival) == []
    assert metadata_record(org=rival, said=[UP], now=NOW) == 1


@pytest.mark.django_db
def test_what_no_database_holds_is_mended_or_left_out() -> None:
    org = make_org()
    odd = MetricDescription(metric="odd", type="speed", help="a\0b" + "x" * 5000, unit="\ud800")
    unnamed = MetricDescription(metric="")
    assert metadata_record(org=org, said=[odd, unnamed], now=NOW) == 1
    kept = metadata_list(org)[0]
    assert (kept.type, kept.help[:3], len(kept.help), kept.unit) == ("unknown", "abx", 1023, "?")


@pytest.mark.django_db
def test_metrics_beyond_the_bound_are_not_kept(monkeypatch: Any) -> None:
    monkeypatch.setattr("apps.series.services.metadata.MOST_METRICS", 2)
    org = make_org()
    said = [MetricDescription(metric=f"m{number}") for number in range(5)]
    assert metadata_record(org=org, said=said, now=NOW) == 2
    assert [one.metric for one in metadata_list(org)] == ["m0", "m1"]
