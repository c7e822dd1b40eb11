"""Inhibition rules on pages: the form, and what a rule suppresses now, typed or saved."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.accounts.models import User
from apps.notifications.models import InhibitionRule
from detectviz.clock import utc_now
from tests.factories.accounts import grant
from tests.factories.dispatch import World, world_made
from tests.factories.orgs import make_folder
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
BASE = "/o/acme/inhibition"
FORM = {
    "view": "form",
    "name": "host-first",
    "title": "The host says enough",
    "source_matchers": 'alertname="HostDown"',
    "target_matchers": "severity=warning",
    "equal": "host",
    "~enabled": "",
    "enabled": "on",
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        made.now = utc_now()
        made.say("a" * 16, alertname="HostDown", host="db1")
        made.say("b" * 16, alertname="DiskFull", severity="warning", host="db1")
        made.say("c" * 16, alertname="DiskFull", severity="warning", host="db2")
        yield made


@pytest.fixture
def browser(world: World) -> Any:
    return make_browser(world.org, "admin")


def asked(browser: Any, **more: str) -> str:
    text: str = browser.post(f"{BASE}/preview", FORM | more).content.decode()
    return text


def test_what_is_typed_shows_its_pairs_and_warns_of_both_sides(browser: Any) -> None:
    text = asked(browser)
    assert "1 alert would be suppressed now." in text
    assert "host=db1" in text
    assert "host=db2" not in text
    assert "source and target" not in text
    assert "2 alerts would be suppressed now." in asked(browser, equal="")
    both = asked(browser, source_matchers='host="db1"')
    assert "1 alert matches source and target." in both
    assert "bbbbbbbb" in both
    assert (
        "suppresses nothing"
        in browser.post(
            f"{BASE}/preview", {key: text for key, text in FORM.items() if key != "enabled"}
        ).content.decode()
    )
    assert "Write a source and a target" in asked(browser, target_matchers="sev~")


def test_a_rule_is_written_shown_changed_and_deleted(world: World, browser: Any) -> None:
    assert "No inhibition rule yet" in browser.get(BASE).content.decode()
    assert browser.post(f"{BASE}/new", FORM).headers["Location"] == f"{BASE}/r/host-first"
    rule = InhibitionRule.objects.for_org(world.org).get()
    assert (rule.target_matchers, rule.equal) == (['severity="warning"'], ["host"])
    page = browser.get(f"{BASE}/r/host-first").content.decode()
    assert "1 alert is suppressed now." in page
    said = browser.get("/apis/alerting/v1/orgs/acme/inhibitionrules/host-first/suppressed").json()
    assert [one["source"]["labels"]["host"] for one in said["mutings"]] == ["db1"]
    assert (said["muted"], said["sources"], said["targets"]) == (1, 1, 2)
    listed = browser.get(BASE).content.decode()
    assert 'data-label="Mutes now">1<' in listed
    refused = browser.post(f"{BASE}/r/host-first/edit", FORM | {"source_matchers": "a~~b"})
    assert refused.status_code == 422
    assert "no matcher" in refused.content.decode()
    assert browser.post(f"{BASE}/r/host-first/delete").status_code == 302
    assert not InhibitionRule.objects.for_org(world.org).exists()


def test_what_lies_in_folders_of_others_is_neither_counted_nor_shown(world: World) -> None:
    folder = make_folder(world.org, "own")
    client = make_browser(world.org, "", "ann")
    ann = User.objects.get(username="ann")
    grant(ann, world.org, ["inhibitionrules:read"])
    assert "You may not see alerts" in asked(client)
    grant(ann, folder, ["alerts:read"])
    text = asked(client)
    assert "Nothing is suppressed now." in text
    assert "0 sources, 0 targets" in text
    assert "host=db1" not in text
