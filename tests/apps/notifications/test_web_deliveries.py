from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.orgs.models import Org
from tests.factories.notifications import START, make_delivery, make_point
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
LOG = "/o/acme/deliveries"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def test_an_empty_log_says_what_will_stand_there(acme: Org) -> None:
    html = make_browser(acme).get(LOG).content.decode()
    assert "Nothing was sent yet" in html
    assert 'href="/o/acme/routing"' in html


def test_the_log_shows_the_latest_first_with_what_became_of_it(acme: Org) -> None:
    old = make_delivery(acme)
    new = make_delivery(
        acme,
        status="pending",
        attempts=2,
        error="connection refused",
        created_at=START + timedelta(hours=1),
    )
    html = make_browser(acme).get(LOG).content.decode()
    assert html.index(new.uid) < html.index(old.uid)
    assert "Retrying" in html
    assert "connection refused" in html
    assert "Delivered" in html
    assert "alertname=Down" in html


def test_the_log_takes_the_same_queries_however_long_it_is(
    acme: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(60):
        make_delivery(acme)
    browser = make_browser(acme)
    with django_assert_max_num_queries(14):
        html = browser.get(LOG).content.decode()
    assert "1 to 50 of 60" in html


def test_status_and_contact_point_narrow_the_log(acme: Org) -> None:
    make_point(acme, "on-call")
    failed = make_delivery(acme, status="failed")
    other = make_delivery(acme, contact_point="other")
    browser = make_browser(acme)
    html = browser.get(f"{LOG}?status=failed", headers=HTMX).content.decode()
    assert failed.uid in html
    assert other.uid not in html
    html = browser.get(f"{LOG}?contact_point=other", headers=HTMX).content.decode()
    assert other.uid in html
    assert failed.uid not in html
    html = browser.get(f"{LOG}?status=superseded", headers=HTMX).content.decode()
    assert "Clear filters" in html


def test_htmx_gets_the_table_that_the_full_page_includes(acme: Org) -> None:
    make_delivery(acme)
    browser = make_browser(acme)
    part = browser.get(LOG, headers=HTMX).content.decode().strip()
    assert part.startswith('<div id="delivery-table"')
    assert part in browser.get(LOG).content.decode()


def test_one_delivery_shows_error_answer_attempts_and_payload(acme: Org) -> None:
    delivery = make_delivery(
        acme,
        status="failed",
        error="HTTP 403",
        answer="<b>forbidden</b>",
        status_code=403,
        attempts=3,
        reason="clientError",
    )
    html = make_browser(acme).get(f"{LOG}/d/{delivery.uid}").content.decode()
    assert "HTTP 403" in html
    assert "&lt;b&gt;forbidden&lt;/b&gt;" in html
    assert "The receiver refused the request" in html
    assert "The shop is down" in html
    assert "(deleted)" in html
    assert delivery.uid in html


def test_the_reason_of_a_sent_one_is_a_sentence(acme: Org) -> None:
    make_point(acme)
    delivery = make_delivery(acme, reason="new_firing")
    html = make_browser(acme).get(f"{LOG}/d/{delivery.uid}").content.decode()
    assert "A new alert is firing" in html
    assert "(deleted)" not in html


def test_an_alert_page_can_show_who_was_told(acme: Org) -> None:
    make_delivery(acme)
    browser = make_browser(acme)
    told = browser.get(f"{LOG}/for/00000000000000aa/", headers=HTMX).content.decode()
    assert "on-call / webhook" in told
    untold = browser.get(f"{LOG}/for/00000000000000bb/", headers=HTMX).content.decode()
    assert "Nobody yet" in untold


def test_another_org_is_not_there(acme: Org) -> None:
    delivery = make_delivery(acme)
    stranger = make_browser(make_org("other"), "admin", "stranger")
    for path in (LOG, f"{LOG}/d/{delivery.uid}", f"{LOG}/for/00000000000000aa/"):
        assert stranger.get(path).status_code == 404
    assert stranger.get(f"/o/other/deliveries/d/{delivery.uid}").status_code == 404
    assert delivery.uid not in stranger.get("/o/other/deliveries").content.decode()


def test_a_member_without_the_permission_is_refused(acme: Org) -> None:
    browser = make_browser(acme, "", "nobody")
    assert browser.get(LOG).status_code == 403
    assert browser.get(f"{LOG}/for/00000000000000aa/").status_code == 204
