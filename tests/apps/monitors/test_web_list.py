import pytest
from pytest_django import DjangoAssertNumQueries

from apps.monitors.models import Monitor, MonitorState
from apps.orgs.models import Org
from tests.factories.monitors import make_monitor
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("probe", "store")]
LIST = "/o/acme/monitors"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def make_down(org: Org, name: str) -> Monitor:
    monitor = make_monitor(org, name)
    MonitorState.objects.for_org(org).filter(monitor=monitor).update(
        state="down", message="refused"
    )
    return monitor


def test_an_empty_list_teaches_the_next_step(acme: Org) -> None:
    html = make_browser(acme).get(LIST).content.decode()
    assert "Watch the first thing" in html
    assert 'href="/o/acme/monitors/new"' in html


def test_a_viewer_is_not_offered_what_is_not_allowed(acme: Org) -> None:
    make_monitor(acme, "home")
    html = make_browser(acme, "viewer").get(LIST).content.decode()
    assert "Add monitor" not in html
    assert "data-select" not in html


def test_broken_monitors_stand_first(acme: Org) -> None:
    make_monitor(acme, "alpha")
    make_down(acme, "zulu")
    html = make_browser(acme).get(LIST).content.decode()
    assert html.index("monitor-zulu") < html.index("monitor-alpha")
    assert "refused" in html


def test_the_list_takes_the_same_queries_however_long_it_is(
    acme: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for index in range(30):
        make_monitor(acme, f"monitor-{index}")
    browser = make_browser(acme)
    with django_assert_max_num_queries(16):
        browser.get(LIST)


def test_htmx_gets_the_table_that_the_full_page_includes(acme: Org) -> None:
    make_monitor(acme, "home")
    browser = make_browser(acme)
    part = browser.get(LIST, headers=HTMX).content.decode().strip()
    assert part.startswith('<div id="monitor-table"')
    assert part in browser.get(LIST).content.decode()


def test_search_state_type_and_label_narrow_the_list(acme: Org) -> None:
    make_monitor(acme, "home", labels={"team": "web"})
    make_down(acme, "shop")
    browser = make_browser(acme)
    for query, wanted, unwanted in (
        ("q=hom", "monitor-home", "monitor-shop"),
        ("state=down", "monitor-shop", "monitor-home"),
        ("label=team%3Dweb", "monitor-home", "monitor-shop"),
    ):
        html = browser.get(f"{LIST}?{query}", headers=HTMX).content.decode()
        assert wanted in html
        assert unwanted not in html


def test_filters_that_match_nothing_offer_to_clear_them(acme: Org) -> None:
    make_monitor(acme, "home")
    html = make_browser(acme).get(f"{LIST}?q=nothing", headers=HTMX).content.decode()
    assert "Clear filters" in html


def test_a_long_list_has_pages_that_keep_the_filter(acme: Org) -> None:
    for index in range(55):
        make_monitor(acme, f"m{index:02}")
    html = make_browser(acme).get(f"{LIST}?q=m").content.decode()
    assert "1 to 50 of 55" in html
    assert f"{LIST}?q=m&amp;page=2" in html


def test_one_row_can_be_asked_for_alone(acme: Org) -> None:
    make_monitor(acme, "home")
    html = make_browser(acme).get(f"{LIST}/m/home/row", headers=HTMX).content.decode()
    assert html.strip().startswith('<tr id="monitor-home"')
    assert make_browser(acme, username="other").get(f"{LIST}/m/gone/row").status_code == 404


def test_selected_monitors_are_paused_and_resumed(acme: Org) -> None:
    make_monitor(acme, "home", config={"host": "a.example"})
    make_monitor(acme, "shop", config={"host": "a.example"})
    browser = make_browser(acme)
    data = {"action": "pause", "monitor": ["home"]}
    answer = browser.post(f"{LIST}/bulk", data, headers=HTMX)
    assert "Paused 1 of 1" in answer["HX-Trigger"]
    enabled = dict(Monitor.objects.for_org(acme).values_list("name", "is_enabled"))
    assert enabled == {"home": False, "shop": True}
    browser.post(f"{LIST}/bulk", {**data, "action": "resume"}, headers=HTMX)
    assert Monitor.objects.for_org(acme).filter(is_enabled=True).count() == 2


def test_selected_monitors_are_labelled(acme: Org) -> None:
    make_monitor(acme, "home", config={"host": "a.example"}, labels={"old": "1"})
    data = {"action": "label", "monitor": "home", "labels": "team=web, old="}
    make_browser(acme).post(f"{LIST}/bulk", data, headers=HTMX)
    assert Monitor.objects.for_org(acme).get().labels == {"team": "web"}


def test_labels_that_are_none_are_refused(acme: Org) -> None:
    make_monitor(acme, "home", config={"host": "a.example"})
    data = {"action": "label", "monitor": "home", "labels": "team"}
    answer = make_browser(acme).post(f"{LIST}/bulk", data, headers=HTMX)
    assert answer.status_code == 422
    assert "name=value" in answer["HX-Trigger"]


def test_an_operator_cannot_delete_in_bulk_and_an_admin_can(acme: Org) -> None:
    make_monitor(acme, "home", config={"host": "a.example"})
    data = {"action": "delete", "monitor": "home"}
    make_browser(acme).post(f"{LIST}/bulk", data, headers=HTMX)
    assert Monitor.objects.for_org(acme).exists()
    make_browser(acme, "admin").post(f"{LIST}/bulk", data, headers=HTMX)
    assert not Monitor.objects.for_org(acme).exists()


def test_monitors_of_another_org_are_out_of_reach(acme: Org) -> None:
    globex = make_org("globex")
    make_monitor(globex, "secret", config={"host": "a.example"})
    browser = make_browser(acme, "admin")
    assert browser.get("/o/globex/monitors").status_code == 404
    browser.post(f"{LIST}/bulk", {"action": "delete", "monitor": "secret"}, headers=HTMX)
    assert Monitor.objects.for_org(globex).exists()
