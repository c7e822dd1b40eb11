from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.monitors.models import Monitor, MonitorState, StateChange
from apps.monitors.services.heartbeats import heartbeat_ensure
from apps.orgs.models import Org
from apps.series.services import series_store_use
from detectviz.tsdb.opening import open_store
from tests.factories.monitors import START, make_monitor
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("probe", "store")]
HOME = "/o/acme/monitors/m/home"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def home(acme: Org) -> Monitor:
    return make_monitor(
        acme, "home", title="Home page", config={"host": "a.example", "answer": "up"}
    )


def make_change(monitor: Monitor, state: str = "down", minutes: int = 0) -> StateChange:
    change: StateChange = StateChange.objects.create_for(
        monitor.org,
        monitor=monitor,
        previous="up",
        state=state,
        at=START + timedelta(minutes=minutes),
        message=f"is {state}",
        evidence={"error": "refused"},
    )
    return change


def test_the_page_shows_state_history_and_the_evidence_of_the_last_failure(
    acme: Org, home: Monitor
) -> None:
    MonitorState.objects.for_org(acme).update(state="down", last_check_at=START, message="refused")
    make_change(home)
    html = make_browser(acme).get(HOME).content.decode()
    assert "Home page" in html
    assert "Down for" in html
    assert "&quot;error&quot;: &quot;refused&quot;" in html
    assert "Uptime 90d" in html


def test_a_new_monitor_says_what_it_is_waiting_for(acme: Org, home: Monitor) -> None:
    html = make_browser(acme).get(HOME).content.decode()
    assert "Waiting for the first check" in html
    assert "Nothing has failed" in html


def test_the_page_has_a_query_budget(
    acme: Org, home: Monitor, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for minute in range(30):
        make_change(home, minutes=minute)
    browser = make_browser(acme)
    with django_assert_max_num_queries(18):
        browser.get(HOME)


def test_htmx_gets_the_summary_that_the_full_page_includes(acme: Org, home: Monitor) -> None:
    browser = make_browser(acme)
    part = browser.get(HOME, headers=HTMX).content.decode().strip()
    assert part.startswith('<div id="monitor-summary"')
    assert part in browser.get(HOME).content.decode()


def test_the_history_can_be_asked_for_alone(acme: Org, home: Monitor) -> None:
    html = make_browser(acme).get(f"{HOME}/history", headers=HTMX).content.decode()
    assert html.strip().startswith('<div id="monitor-history"')


def test_one_transition_shows_its_evidence(acme: Org, home: Monitor) -> None:
    change = make_change(home)
    html = make_browser(acme).get(f"{HOME}/changes/{change.pk}", headers=HTMX).content.decode()
    assert "refused" in html


def test_running_now_shows_the_result_and_records_nothing(acme: Org, home: Monitor) -> None:
    answer = make_browser(acme, "admin").post(f"{HOME}/run", headers=HTMX)
    assert "as configured" in answer.content.decode()
    assert MonitorState.objects.for_org(acme).get().last_check_at is None


def test_running_now_needs_its_permission(acme: Org, home: Monitor) -> None:
    answer = make_browser(acme, "viewer").post(f"{HOME}/run", headers=HTMX)
    assert answer.status_code == 403
    assert "monitors:execute" in answer["HX-Trigger"]


def test_a_monitor_is_paused_and_resumed(acme: Org, home: Monitor) -> None:
    browser = make_browser(acme)
    for wanted in ("false", "true"):
        answer = browser.post(f"{HOME}/enable", {"enabled": wanted})
        assert answer["Location"] == HOME
        assert Monitor.objects.for_org(acme).get().is_enabled is (wanted == "true")


def test_the_push_address_is_shown_to_those_who_may_edit(acme: Org, home: Monitor) -> None:
    token = heartbeat_ensure(monitor=home, now=START).token["token"]
    assert token in make_browser(acme).get(HOME).content.decode()
    assert token not in make_browser(acme, "viewer").get(HOME).content.decode()


def test_a_new_push_address_replaces_the_old_one(acme: Org, home: Monitor) -> None:
    token = heartbeat_ensure(monitor=home, now=START).token["token"]
    browser = make_browser(acme)
    browser.post(f"{HOME}/rotate")
    assert token not in browser.get(HOME).content.decode()


def test_the_chart_of_a_monitor_without_results_says_so(
    acme: Org, home: Monitor, tmp_path: Path
) -> None:
    series_store_use(open_store("", data_dir=tmp_path))
    answer = make_browser(acme).get(f"{HOME}/response.json?range=24h").json()
    assert answer["series"] == []
    assert "first check" in answer["empty"]


def test_an_unknown_and_a_foreign_monitor_are_not_there(acme: Org) -> None:
    globex = make_org("globex")
    make_monitor(globex, "secret")
    browser = make_browser(acme, "admin")
    assert browser.get("/o/acme/monitors/m/secret").status_code == 404
    assert browser.get("/o/globex/monitors/m/secret").status_code == 404


def test_the_page_says_whose_failure_holds_its_alerts_back(acme: Org, home: Monitor) -> None:
    router = make_monitor(acme, "router")
    Monitor.objects.for_org(acme).filter(pk=home.pk).update(depends_on=["router"])
    told = "New alerts of this monitor are suppressed because"
    browser = make_browser(acme)
    assert told not in browser.get(HOME).content.decode()
    MonitorState.objects.for_org(acme).filter(monitor=router).update(state="down")
    html = browser.get(HOME).content.decode()
    assert told in html
    assert "/o/acme/monitors/m/router" in html
