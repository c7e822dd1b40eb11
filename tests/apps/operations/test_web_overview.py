import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.monitors.models import MonitorState, StateChange
from apps.orgs.models import Org
from tests.factories.accounts import make_member
from tests.factories.monitors import START, make_monitor
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
OVERVIEW = "/o/acme/"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def make_state(org: Org, name: str, state: str) -> None:
    monitor = make_monitor(org, name)
    rows = MonitorState.objects.for_org(org).filter(monitor=monitor)
    rows.update(state=state, last_check_at=START, message=f"{name} says {state}")
    StateChange.objects.create_for(org, monitor=monitor, previous="up", state=state, at=START)


def test_an_empty_org_teaches_the_next_step(acme: Org) -> None:
    html = make_browser(acme).get(OVERVIEW).content.decode()
    assert "Watch the first thing" in html


def test_what_is_broken_stands_first_in_words(acme: Org) -> None:
    make_state(acme, "home", "up")
    make_state(acme, "shop", "down")
    make_state(acme, "search", "degraded")
    html = make_browser(acme).get(OVERVIEW).content.decode()
    assert "1 monitor is down" in html
    assert html.index("shop says down") < html.index("search says degraded")
    assert "home says up" not in html


def test_all_well_is_said_as_well(acme: Org) -> None:
    make_state(acme, "home", "up")
    html = make_browser(acme).get(OVERVIEW).content.decode()
    assert "Everything is up" in html
    assert "Nothing is broken" in html


def test_the_overview_has_a_query_budget(
    acme: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for index in range(20):
        make_state(acme, f"m{index}", "down")
    browser = make_browser(acme)
    with django_assert_max_num_queries(16):
        browser.get(OVERVIEW)


def test_htmx_gets_the_part_that_the_full_page_includes(acme: Org) -> None:
    make_state(acme, "home", "up")
    browser = make_browser(acme)
    part = browser.get(OVERVIEW, headers=HTMX).content.decode().strip()
    assert part.startswith('<div id="overview"')
    assert part in browser.get(OVERVIEW).content.decode()


def test_monitors_that_may_not_be_read_are_not_counted(acme: Org) -> None:
    make_state(acme, "shop", "down")
    client = Client()
    client.force_login(make_member(acme, "nobody"))
    html = client.get(OVERVIEW).content.decode()
    assert "shop" not in html
    assert "Nothing to see yet" in html


def test_the_sidebar_shows_only_what_one_may_open(acme: Org) -> None:
    html = make_browser(acme, "viewer").get(OVERVIEW).content.decode()
    assert 'href="/o/acme/monitors"' in html
    assert 'href="/o/acme/system"' not in html
    assert 'href="/o/acme/system"' in make_browser(acme, "admin").get(OVERVIEW).content.decode()


def test_groups_of_the_sidebar_are_folded_until_unfolded_or_entered(acme: Org) -> None:
    browser = make_browser(acme, "viewer")
    folded = '<details class="side-group" data-side-group="delivery">'
    assert folded in browser.get(OVERVIEW).content.decode()
    assert folded not in browser.get("/o/acme/deliveries").content.decode()
    browser.cookies["side_unfolded"] = "rules.delivery.nonsense"
    assert folded not in browser.get(OVERVIEW).content.decode()


def test_system_health_names_what_does_not_answer(acme: Org) -> None:
    html = make_browser(acme, "admin").get("/o/acme/system").content.decode()
    assert "Database" in html
    assert "collectors/push" in html
    assert make_browser(acme, "viewer").get("/o/acme/system").status_code == 403
