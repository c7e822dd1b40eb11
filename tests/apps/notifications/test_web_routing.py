from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.notifications.models import RoutingTree, TimeInterval
from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.web.forms.routes import own_spec
from apps.orgs.models import Org
from tests.factories.notifications import make_point
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
TREE = "/o/acme/routing"
ROOT: dict[str, Any] = {
    "contact_point": "on-call",
    "group_by": ["alertname"],
    "routes": [
        {
            "matchers": ['team="web"'],
            "contact_point": "web",
            "routes": [
                {"matchers": ['severity="critical"'], "group_wait": "1s", "group_by": []},
            ],
        },
        {"matchers": ['team="db"'], "continue": True},
    ],
}


@pytest.fixture
def acme() -> Org:
    org = make_org("acme")
    org_prepare(org_id=org.pk)
    make_point(org, "on-call", title="On call")
    make_point(org, "web")
    RoutingTree.objects.for_org(org).update(root=ROOT)
    return org


def root_of(org: Org) -> dict[str, Any]:
    tree: RoutingTree = RoutingTree.objects.for_org(org).get()
    root: dict[str, Any] = tree.root
    return root


def form(**fields: str) -> dict[str, str]:
    return {"resource_version": "1", "~continue": "", **fields}


def test_the_tree_is_shown_nested_with_what_is_inherited(acme: Org) -> None:
    html = make_browser(acme, "admin").get(TREE).content.decode()
    assert "Every alert" in html
    assert "team=&quot;web&quot;" in html
    assert html.index("route-root-0") < html.index("route-root-0-0") < html.index("route-root-1")
    assert "wait 1s" in html
    assert "as above" in html
    assert "then continue" in html


def test_a_new_org_is_told_that_nobody_is_told(acme: Org) -> None:
    RoutingTree.objects.for_org(acme).update(root={"contact_point": ""})
    browser = make_browser(acme, "admin")
    assert "Choose who gets every alert" in browser.get(TREE).content.decode()
    other = make_org("other")
    html = make_browser(other, "admin").get("/o/other/routing").content.decode()
    assert 'href="/o/other/contact-points/new"' in html


def test_the_page_takes_few_queries(
    acme: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = make_browser(acme)
    with django_assert_max_num_queries(13):
        browser.get(TREE)
    with django_assert_max_num_queries(21):  # every suppressor is asked once
        browser.get(f"{TREE}?labels=team=web")


def test_labels_are_explained_and_their_routes_marked(acme: Org) -> None:
    browser = make_browser(acme)
    query = {"labels": '{team="web", severity="critical", alertname="High load"}'}
    html = browser.get(TREE, query, headers=HTMX).content.decode()
    assert html.strip().startswith('<div id="routing-tree"')
    assert "after 1s" in html
    assert html.count("route-card is-hit") == 1
    assert html.index('id="route-root-0-0"') < html.index("is-hit")
    unmatched = browser.get(TREE, {"labels": "team=none"}, headers=HTMX).content.decode()
    assert unmatched.index("is-hit") < unmatched.index('id="route-root-0"')


def test_text_without_labels_is_said_to_be_none(acme: Org) -> None:
    html = make_browser(acme).get(TREE, {"labels": "what"}, headers=HTMX).content.decode()
    assert "write name=value" in html


def test_a_route_is_added_below_another(acme: Org) -> None:
    data = form(matchers='severity="page"\nteam=~"a|b"', contact_point="web", group_wait="5s")
    assert make_browser(acme, "admin").post(f"{TREE}/add/root-0", data)["Location"] == TREE
    added = root_of(acme)["routes"][0]["routes"][1]
    assert added == {
        "matchers": ['severity="page"', 'team=~"a|b"'],
        "contact_point": "web",
        "group_wait": "5s",
    }


def test_a_route_is_edited_and_keeps_what_is_below_it(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    assert "team=&quot;web&quot;" in browser.get(f"{TREE}/edit/root-0").content.decode()
    data = form(matchers="team=shop", contact_point="", group_by="alertname\nteam")
    browser.post(f"{TREE}/edit/root-0", data)
    edited = root_of(acme)["routes"][0]
    assert edited["matchers"] == ["team=shop"]
    assert edited["group_by"] == ["alertname", "team"]
    assert "contact_point" not in edited
    assert edited["routes"] == ROOT["routes"][0]["routes"]


def test_one_group_of_everything_survives_an_edit(acme: Org) -> None:
    data = form(matchers='severity="critical"', group_wait="2s", group_by="")
    make_browser(acme, "admin").post(f"{TREE}/edit/root-0-0", data)
    edited = root_of(acme)["routes"][0]["routes"][0]
    assert edited == {"matchers": ['severity="critical"'], "group_wait": "2s", "group_by": []}


def test_the_root_is_asked_for_no_matchers(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    html = browser.get(f"{TREE}/edit/root").content.decode()
    assert 'name="matchers"' not in html
    assert 'name="contact_point"' in html
    browser.post(f"{TREE}/edit/root", form(contact_point="web", repeat_interval="1d"))
    assert root_of(acme)["contact_point"] == "web"
    assert len(root_of(acme)["routes"]) == 2


@pytest.mark.parametrize(
    ("place", "change", "field"),
    [
        ("edit/root-0", {"matchers": "no matcher"}, "f-matchers"),
        ("edit/root-0-0", {"group_wait": "soon"}, "f-group_wait"),
        ("add/root-0", {"group_interval": "0s"}, "f-group_interval"),
        ("add/root", {"contact_point": "nobody"}, "f-contact_point"),
        ("edit/root", {"group_by": "...\nteam"}, "f-group_by"),
    ],
)
def test_an_error_stands_at_its_field_and_nothing_is_written(
    acme: Org, place: str, change: dict[str, str], field: str
) -> None:
    answer = make_browser(acme, "admin").post(f"{TREE}/{place}", form(**change))
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.content.decode()
    assert root_of(acme) == ROOT


def test_routes_move_among_their_siblings(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    browser.post(f"{TREE}/move/root-1", form(to="up"))
    assert root_of(acme)["routes"] == ROOT["routes"][::-1]
    browser.post(f"{TREE}/move/root-0", {"resource_version": "2", "to": "down"})
    assert root_of(acme) == ROOT


def test_a_route_is_deleted_with_what_is_below_it(acme: Org) -> None:
    make_browser(acme, "admin").post(f"{TREE}/delete/root-0", form())
    assert root_of(acme)["routes"] == ROOT["routes"][1:]


def test_a_change_of_an_older_tree_is_refused(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    browser.post(f"{TREE}/delete/root-0", form())
    assert browser.post(f"{TREE}/delete/root-0", form()).status_code == 409
    assert browser.post(f"{TREE}/edit/root-0", form(matchers="a=b")).status_code == 422
    assert len(root_of(acme)["routes"]) == 1


@pytest.mark.parametrize("place", ["root-7", "root-0-9", "elsewhere", "root-x", "root-0--1"])
def test_a_place_that_is_none_is_not_there(acme: Org, place: str) -> None:
    browser = make_browser(acme, "admin")
    assert browser.get(f"{TREE}/edit/{place}").status_code == 404
    assert browser.post(f"{TREE}/delete/{place}", form()).status_code == 404


def test_the_root_is_not_deleted(acme: Org) -> None:
    assert make_browser(acme, "admin").post(f"{TREE}/delete/root", form()).status_code == 404
    assert root_of(acme) == ROOT


def test_the_tree_is_written_as_yaml(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    assert "team=&quot;web&quot;" in browser.get(f"{TREE}/yaml").content.decode()
    text = "contact_point: web\nroutes:\n- matchers: [a=b]\n"
    browser.post(f"{TREE}/yaml", form(text=text))
    assert root_of(acme) == {"contact_point": "web", "routes": [{"matchers": ["a=b"]}]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("contact_point: [", "line 2"),
        ("contact_point: nobody", "contact_point"),
        ("routes: [{nonsense: 1}]", "routes.0.nonsense"),
        ("just text", "object"),
        ("", "object"),
    ],
)
def test_wrong_yaml_comes_back_with_what_is_wrong(acme: Org, text: str, said: str) -> None:
    answer = make_browser(acme, "admin").post(f"{TREE}/yaml", form(text=text))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert root_of(acme) == ROOT


def test_a_viewer_sees_and_can_change_nothing(acme: Org) -> None:
    browser = make_browser(acme, "viewer")
    html = browser.get(TREE).content.decode()
    assert "team=&quot;web&quot;" in html
    assert "/routing/edit" not in html
    for path in ("edit/root", "add/root", "yaml"):
        assert browser.get(f"{TREE}/{path}").status_code == 403
    for path in ("move/root-0", "delete/root-0"):
        assert browser.post(f"{TREE}/{path}", form()).status_code == 403
    assert root_of(acme) == ROOT


def test_another_org_is_not_there(acme: Org) -> None:
    stranger = make_browser(make_org("other"), "admin", "stranger")
    for path in (TREE, f"{TREE}/edit/root", f"{TREE}/yaml"):
        assert stranger.get(path).status_code == 404


def test_what_the_form_of_a_route_does_not_ask_stays_as_it_was() -> None:
    before = {"mute_time_intervals": ["night"], "group_wait": "1m", "routes": [{}]}
    own = own_spec({"contact_point": "ops", "group_wait": ""}, before)
    assert own == {"contact_point": "ops", "mute_time_intervals": ["night"]}
    asked = {"contact_point": "ops", "mute_time_intervals": []}
    assert own_spec(asked, before) == {"contact_point": "ops"}
    zero = {"weight": 0, "silence_policy": {"min_matchers": 0}, "continue": False}
    assert own_spec(zero, {}) == {"weight": 0, "silence_policy": {"min_matchers": 0}}


def test_a_route_is_given_times_by_name_and_the_root_is_not_asked(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    assert "time_intervals" not in browser.get(f"{TREE}/edit/root-1").content.decode()
    TimeInterval.objects.create_for(acme, name="night", title="At night", intervals=[{}])
    assert "time_intervals" not in browser.get(f"{TREE}/edit/root").content.decode()
    page = browser.get(f"{TREE}/edit/root-1").content.decode()
    assert page.count("At night") == 2
    times = {"~mute_time_intervals": "", "mute_time_intervals": "night"}
    fields = form(matchers='team="db"', **{"~active_time_intervals": "", **times})
    assert browser.post(f"{TREE}/edit/root-1", fields).status_code == 302
    assert root_of(acme)["routes"][1] == {
        "matchers": ['team="db"'],
        "mute_time_intervals": ["night"],
    }
    assert "/o/acme/times/t/night" in browser.get(TREE).content.decode()
    del fields["mute_time_intervals"]
    fields["resource_version"] = "2"
    assert browser.post(f"{TREE}/edit/root-1", fields).status_code == 302
    assert root_of(acme)["routes"][1] == {"matchers": ['team="db"']}


def test_the_policy_of_silences_is_asked_at_the_root_alone(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    assert "What a silence has to say" not in browser.get(f"{TREE}/edit/root-0").content.decode()
    said = form(
        **{
            "contact_point": "web",
            "silence_policy/min_matchers": "2",
            "silence_policy/max_duration": "1d",
            "silence_policy/required_labels": "",
        }
    )
    assert browser.post(f"{TREE}/edit/root", said).status_code == 302
    assert root_of(acme)["silence_policy"] == {"min_matchers": 2, "max_duration": "1d"}
    assert 'value="1d"' in browser.get(f"{TREE}/edit/root").content.decode()
    wrong = {**said, "resource_version": "2", "silence_policy/min_matchers": "0"}
    assert "f-silence_policy-min_matchers" in (
        browser.post(f"{TREE}/edit/root", wrong).content.decode()
    )
    empty = {**form(contact_point="web"), "resource_version": "2"}
    browser.post(f"{TREE}/edit/root", empty)
    assert "silence_policy" not in root_of(acme)
