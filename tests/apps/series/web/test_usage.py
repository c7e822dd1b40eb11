"""The page of an org's use and limits."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from apps.orgs.models import Org, Quota
from apps.orgs.selectors import QUOTA_NAME
from apps.series.selectors import series_store_use
from apps.series.selectors.policies import tenant_policy
from apps.series.services.refusals import refusals_note
from detectviz.clock import to_ms
from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import Sample
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
PAGE = "/o/acme/series"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    tenant_policy.forget()
    opened = EmbeddedStore(tmp_path / "series.sqlite", policy=tenant_policy)
    series_store_use(opened)
    yield opened
    series_store_use(None)
    tenant_policy.forget()


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def browser(acme: Org, store: EmbeddedStore) -> Client:
    now_ms = to_ms(timezone.now())
    store.append(
        acme.uid,
        [
            Sample({"__name__": "jobs", "site": f"s{place}"}, now_ms - 1000 * at, at)
            for place in range(4)
            for at in range(30)
        ],
    )
    return make_browser(acme, "viewer")


def seen(browser: Client) -> str:
    answer = browser.get(PAGE)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_use_is_shown_with_what_makes_it_and_where_to_look(browser: Client) -> None:
    text = seen(browser)
    for part in (
        "Well within the limits.",
        '<div class="tile-value">4</div>',
        "of 1,000,000 (0 %)",
        '<div class="tile-value">1.0</div>',
        'href="/o/acme/metrics?metric=jobs"',
        "/o/acme/explore?q=%7Bsite%3D%22s0%22%7D",
        "15 days",
        "730 days",
        "Nothing was refused",
    ):
        assert part in text, part


def test_near_a_limit_the_page_says_what_to_do(browser: Client, acme: Org) -> None:
    Quota.objects.create_for(acme, name=QUOTA_NAME, max_series=5, samples_per_s=100)
    tenant_policy.forget()
    text = seen(browser)
    assert "A limit is near." in text
    assert "of 5 (80 %)" in text
    assert "of 100 (1 %)" in text
    assert "ask your administrators" in text


def test_what_was_refused_is_told_with_its_reason(browser: Client, acme: Org) -> None:
    now = timezone.now()
    for at, count in ((now, 7), (now - timedelta(days=3), 100)):
        refusals_note(
            tenant=acme.uid, door="otlp", counts={"limit": count}, example="jobs{}: full", now=at
        )
    text = seen(browser)
    assert "Limit of series" in text
    assert "jobs{}: full" in text
    assert '<div class="tile-value">7</div>' in text


def test_a_store_that_does_not_answer_is_no_error_page(
    browser: Client, store: EmbeddedStore
) -> None:
    store.close()
    assert "The series store does not answer now." in seen(browser)
