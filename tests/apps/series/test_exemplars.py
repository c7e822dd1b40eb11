"""Exemplars: kept, found by matchers, pruned."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.orgs.models import Org
from apps.series.selectors.exemplars import exemplar_list
from apps.series.services import NewExemplar, exemplars_prune, exemplars_record
from apps.series.services.exemplars import MOST_PER_MINUTE
from detectviz.clock import to_ms
from detectviz.tsdb.interface import Matcher, MatchOp
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW_MS = to_ms(NOW)


def an_exemplar(job: str = "api", at_ms: int = NOW_MS, **changes: Any) -> NewExemplar:
    fields: dict[str, Any] = {"labels": {"trace_id": "abc"}, "value": 0.5} | changes
    series = {"__name__": "requests", "job": job}
    return NewExemplar(series_labels=series, timestamp_ms=at_ms, **fields)


def found(org: Org, op: MatchOp = MatchOp.REGEX, job: str = ".*") -> list[tuple[str, int]]:
    matchers = [Matcher("__name__", MatchOp.EQUAL, "requests"), Matcher("job", op, job)]
    listed = exemplar_list(org, selectors=[matchers], start_ms=0, end_ms=NOW_MS)
    return [(each.labels["job"], at) for each in listed for _, _, at in each.exemplars]


def test_exemplars_are_found_by_the_matchers_of_their_series() -> None:
    org = make_org()
    exemplars_record(org=org, exemplars=[an_exemplar(), an_exemplar("web")], now=NOW)
    assert found(org) == [("api", NOW_MS), ("web", NOW_MS)]
    assert found(org, MatchOp.NOT_EQUAL, "api") == [("web", NOW_MS)]
    assert found(make_org("rival")) == []


def test_the_same_exemplar_twice_is_one() -> None:
    org = make_org()
    exemplars_record(org=org, exemplars=[an_exemplar(), an_exemplar()], now=NOW)
    exemplars_record(org=org, exemplars=[an_exemplar()], now=NOW)
    assert found(org) == [("api", NOW_MS)]


def test_a_value_that_is_no_number_is_kept() -> None:
    org = make_org()
    exemplars_record(org=org, exemplars=[an_exemplar(value=float("nan"))], now=NOW)
    matchers = [Matcher("job", MatchOp.EQUAL, "api")]
    (series,) = exemplar_list(org, selectors=[matchers], start_ms=0, end_ms=NOW_MS)
    assert series.exemplars == [({"trace_id": "abc"}, "NaN", NOW_MS)]


def test_labels_that_are_too_long_or_no_text_are_left_out() -> None:
    org = make_org()
    wrong = [an_exemplar(labels={"a": "x" * 128}), an_exemplar(labels={"a": "\0"})]
    assert exemplars_record(org=org, exemplars=wrong, now=NOW) == 0


def test_an_org_has_its_share_of_a_minute() -> None:
    org = make_org()
    many = [an_exemplar(at_ms=NOW_MS - index) for index in range(MOST_PER_MINUTE + 5)]
    assert exemplars_record(org=org, exemplars=many, now=NOW) == MOST_PER_MINUTE
    later = NOW + timedelta(minutes=1)
    assert exemplars_record(org=org, exemplars=many[-5:], now=later) == 5


def test_the_oldest_go_when_there_are_too_many_or_too_old(monkeypatch: Any) -> None:
    monkeypatch.setattr("apps.series.services.exemplars.MOST_EXEMPLARS", 2)
    org = make_org()
    ages_ms = [0, 1000, 2000, 3000, 16 * 86_400_000]
    exemplars_record(
        org=org, exemplars=[an_exemplar(at_ms=NOW_MS - age) for age in ages_ms], now=NOW
    )
    assert exemplars_prune(now=NOW) == 3
    assert [at for _, at in found(org)] == [NOW_MS - 1000, NOW_MS]
