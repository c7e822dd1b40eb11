"""Silences on pages: found, made by a form that shows what it mutes, made longer, ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.notifications.models import RoutedAlert, RoutingTree, Silence
from apps.notifications.services.bootstrap import org_prepare
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.accounts import bind, make_full_org, make_member
from tests.factories.orgs import make_folder
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
LIST, NEW, PREVIEW = "/o/acme/silences", "/o/acme/silences/new", "/o/acme/silences/preview"


@pytest.fixture
def acme() -> Org:
    org = make_full_org("acme")
    org_prepare(org_id=org.pk)
    for number, team in enumerate(("web", "web", "db")):
        RoutedAlert.objects.create_for(
            org,
            fingerprint=f"00a{number}",
            labels={"alertname": "Down", "team": team, "instance": f"i{number}"},
            starts_at=utc_now(),
        )
    return org


@pytest.fixture
def browser(acme: Org) -> Client:
    return make_browser(acme)


def form(*sets: tuple[tuple[str, str, str], ...], **more: str) -> dict[str, str]:
    data = {"~sets": "", "span": "2h", "location": "UTC", "comment": "works", **more}
    for at, matchers in enumerate(sets or ((("team", "=", "web"),),)):
        data[f"~sets/{at}/matchers"] = ""
        for index, (name, op, value) in enumerate(matchers):
            row = f"sets/{at}/matchers/{index}"
            data |= {f"{row}/name": name, f"{row}/op": op, f"{row}/value": value}
    return data


def silences() -> Any:
    return Silence.objects.across_orgs(reason="there is one org")


def policy(org: Org, **wanted: Any) -> RoutingTree:
    tree: RoutingTree = RoutingTree.objects.for_org(org).get()
    tree.root = {**tree.root, "silence_policy": wanted}
    tree.save()
    return tree


def write(org: Org, name: str = "night", **fields: Any) -> Silence:
    now = utc_now()
    values: dict[str, Any] = {
        "matcher_sets": [['team="web"']],
        "starts_at": now - timedelta(hours=1),
        "ends_at": now + timedelta(hours=1),
        "comment": "works",
        "created_by": "ann",
    }
    made: Silence = Silence.objects.create_for(org, name=name, **(values | fields))
    return made


def test_a_silence_is_made_and_shown_with_what_it_mutes(browser: Client) -> None:
    answer = browser.post(NEW, form((("team", "=~", "web|x"),), (("instance", "=", " i2"),)))
    assert answer.status_code == 302
    silence = silences().get()
    assert silence.matcher_sets == [['team=~"web|x"'], ['instance=" i2"']]
    assert (silence.created_by, silence.comment) == ("operator", "works")
    html = browser.get(answer.headers["Location"]).content.decode()
    assert html.count("/o/acme/alerts/00a") == 2
    assert "<strong>operator</strong> made it" in html


def test_the_list_says_who_why_and_how_many_by_state(acme: Org, browser: Client) -> None:
    write(acme)
    write(acme, "soon", starts_at=utc_now() + timedelta(hours=1), comment="later")
    write(acme, "old", ends_at=utc_now() - timedelta(minutes=1), comment="earlier")
    html = browser.get(LIST).content.decode()
    assert "works" in html
    assert "<strong>2</strong>" in html
    assert "later" not in html
    assert "later" in browser.get(f"{LIST}?state=pending").content.decode()
    assert "?copy=old" in browser.get(f"{LIST}?state=expired").content.decode()


def test_more_silences_take_no_more_queries(
    acme: Org, browser: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        write(acme, f"night-{number}")
    with django_assert_max_num_queries(25):
        html = browser.get(LIST).content.decode()
    assert html.count("<strong>2</strong>") == 20


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("search=team%3Dweb", True),
        ("search=team%3D~web", False),
        ("search=WEB+works", True),
        ("search=nothing", False),
        ("creator=ann", True),
        ("creator=bob", False),
        ("folder=shop", False),
    ],
)
def test_silences_are_found(acme: Org, browser: Client, query: str, *, is_found: bool) -> None:
    write(acme)
    html = browser.get(f"{LIST}?{query}", headers=HTMX).content.decode()
    assert ("/silences/s/night" in html) is is_found
    assert ("Nothing matches" in html) is not is_found


def test_the_preview_counts_what_a_form_would_mute_and_saves_nothing(browser: Client) -> None:
    html = browser.post(PREVIEW, form()).content.decode()
    assert '<strong class="num">2</strong> of 3 firing alerts now' in html
    assert "Until " in html
    assert not silences().exists()
    everything = browser.post(PREVIEW, form((("alertname", "=", "Down"),))).content.decode()
    assert "everything" in everything
    nothing = browser.post(PREVIEW, form((("alertname", "=", "Dwon"),))).content.decode()
    assert "Is it spelled right?" in nothing


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (form((("team", "=~", "("),)), "not a valid RE2 expression"),
        (form((("team", "", ""),)), "must not match the empty string"),
        (form(span="exact"), "Say when it ends."),
        (form(repeat="custom", rrule="FREQ=SECONDLY", until="2099-01-01"), "five years at most"),
        (form(location="Mars"), "is no time zone"),
    ],
)
def test_a_mistake_is_told_while_one_types_and_when_one_saves(
    browser: Client, data: dict[str, str], said: str
) -> None:
    assert said in browser.post(PREVIEW, data).content.decode()
    refused = browser.post(NEW, data)
    assert refused.status_code == 422
    assert said in refused.content.decode()
    assert not silences().exists()


def test_the_policy_of_the_org_is_told_at_the_matchers(acme: Org, browser: Client) -> None:
    policy(acme, min_matchers=2, max_duration="1h")
    html = browser.post(PREVIEW, form()).content.decode()
    assert "This org wants 2 matchers" in html.partition('id="matchers-said"')[2]
    assert "silences for 1h at most" in html.partition('id="times-said"')[2]


def test_saying_why_is_asked_for(browser: Client) -> None:
    refused = browser.post(NEW, form(comment=" "))
    assert refused.status_code == 422
    assert "Say why" in refused.content.decode()


@time_machine.travel(datetime(2026, 11, 22, tzinfo=UTC))
def test_a_recurring_silence_comes_back_from_its_form_as_it_was(browser: Client) -> None:
    days = {"repeat": "FREQ=WEEKLY;BYDAY=SA,SU", "until": "2027-01-31", "span": "8h"}
    place = {"location": "Europe/Berlin", "starts_at": "2026-12-05T22:00", "remind_before": "1d"}
    shown = browser.post(PREVIEW, form(**days, **place)).content.decode()
    assert "Sat 5 Dec 2026, 22:00 CET" in shown
    at = browser.post(NEW, form(**days, **place)).headers["Location"]
    silence = silences().get()
    assert (silence.duration_ms, silence.location) == (8 * 3_600_000, "Europe/Berlin")
    html = browser.get(f"{at}/edit").content.decode()
    for text in ('value="2026-12-05T22:00"', 'value="2026-12-06T06:00"', 'value="2027-01-31"'):
        assert text in html
    same = {**days, **place, "span": "exact", "ends_at": "2026-12-06T06:00"}
    browser.post(f"{at}/edit", form(**same, comment="other"))
    changed = silences().get()
    assert (changed.uid, changed.comment) == (silence.uid, "other")
    assert (changed.starts_at, changed.ends_at) == (silence.starts_at, silence.ends_at)


def test_a_silence_gets_longer_and_ends_by_a_button(acme: Org, browser: Client) -> None:
    silence = write(acme)
    browser.post(f"{LIST}/s/night/extend", {"by": "4h"})
    assert silences().get().ends_at == silence.ends_at + timedelta(hours=4)
    assert browser.post(f"{LIST}/s/night/extend", {"by": "9y"}).status_code == 422
    policy(acme, max_duration="6h")
    refused = browser.post(f"{LIST}/s/night/extend", {"by": "1d"})
    assert "silences for 6h at most" in refused.content.decode()
    browser.post(f"{LIST}/s/night/expire")
    assert silences().get().ends_at <= utc_now()
    html = browser.get(f"{LIST}/s/night").content.decode()
    assert "changed it: end:" in html
    assert "ended it" in html
    again = browser.get(f"{NEW}?copy=night").content.decode()
    assert 'value="web"' in again


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (
            "matcher=team%3D%22web%22&for=8h&comment=fire",
            ['value="web"', ">\nfire</", 'value="8h" ch'],
        ),
        ("filter=%7Bteam%3D%22web%22,a%3D~%22b%22%7D", ['value="web"', 'value="b"']),
        ("matcher=%28%28&for=never", ['value="2h" checked']),
        ("alert=none&rule=none", ['value="2h" checked']),
    ],
)
def test_an_address_fills_the_form(browser: Client, query: str, values: list[str]) -> None:
    html = browser.get(f"{NEW}?{query}").content.decode()
    assert [each for each in values if each not in html] == []


def test_labels_are_completed_from_what_fires(browser: Client) -> None:
    names = browser.get(f"{LIST}/values?ask=name&sets/0/matchers/0/name=t").content.decode()
    assert 'value="team"' in names
    query = "ask=value&sets/0/matchers/0/name=team&sets/0/matchers/0/value=w"
    values = browser.get(f"{LIST}/values?{query}").content.decode()
    assert 'value="web"' in values
    assert 'value="db"' not in values


def test_who_keeps_a_folder_silences_there_and_nowhere_else(acme: Org) -> None:
    folder = make_folder(acme, "shop")
    keeper = make_member(acme, "keeper")
    bind("operator", keeper, acme, folder)
    browser = Client()
    browser.force_login(keeper)
    html = browser.get(NEW).content.decode()
    assert '<option value="shop"' in html
    assert "The whole organisation" not in html
    assert browser.post(NEW, form()).status_code == 403
    assert browser.post(NEW, form(folder="shop")).status_code == 302
    assert silences().get().folder == folder
    write(acme, "elsewhere")
    assert "elsewhere" not in browser.get(LIST).content.decode()
    assert browser.get(f"{LIST}/s/elsewhere").status_code == 403
