"""The twin's doors: API, command, page."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.alerting.enums import AlertState
from apps.alerting.models import AlertEvent
from apps.notifications.models import RoutingTree, Silence
from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.services.twin.requests import replay_asked
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError
from tests.factories.notifications import make_point
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
PAGE = "/o/acme/routing/replay"
HUSH = """
apiVersion: alerting/v1
kind: Silence
metadata: {name: hush}
spec: {matchers: ['alertname="Down"'], ends_at: "2099-01-01T00:00:00Z", comment: why}
"""


@pytest.fixture
def acme() -> Org:
    org = make_org("acme")
    org_prepare(org_id=org.pk)
    make_point(org, "on-call")
    RoutingTree.objects.for_org(org).update(root={"contact_point": "on-call"})
    AlertEvent.objects.create_for(
        org,
        group_name="web",
        rule_name="Down",
        fingerprint="f",
        labels={"alertname": "Down", "host": "a"},
        previous=AlertState.PENDING,
        state=AlertState.FIRING,
        value="1",
        at=utc_now() - timedelta(hours=2),
    )
    return org


def test_the_command_fails_a_pipeline_when_somebody_is_not_told(acme: Org, tmp_path: Path) -> None:
    file = tmp_path / "proposed.yaml"
    file.write_text(HUSH)
    out = StringIO()
    words = ("route", "diff", "--org", "acme", "-f", str(file), "--since", "1d")
    with pytest.raises(CommandError) as failed:
        call_command(*words, "--fail-on", "removed", "-o", "json", stdout=out)
    assert failed.value.returncode == 1
    answer = json.loads(out.getvalue())
    assert answer["untold"] == 1
    assert answer["removed"][0]["causes"][0]["name"] == "hush"

    call_command(*words, stdout=out)
    file.write_text("")
    call_command(*words, "--fail-on", "changed", stdout=out)
    assert not Silence.all_orgs.exists()


def test_alerts_of_a_file_as_alertmanager_lists_them(acme: Org, tmp_path: Path) -> None:
    file = tmp_path / "alerts.json"
    began = (utc_now() - timedelta(hours=1)).isoformat()
    file.write_text(json.dumps([{"labels": {"a": "b"}, "startsAt": began, "fingerprint": "x"}]))
    out = StringIO()
    call_command(
        *("route", "diff", "--org", "acme", "--alerts", str(file), "-o", "json"), stdout=out
    )
    answer = json.loads(out.getvalue())
    assert answer["alerts"] == 1
    assert answer["notifications"]["before"] >= 1


def test_the_page_shows_the_present_tree_and_compares(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    html = browser.get(PAGE).content.decode()
    assert "contact_point: on-call" in html
    assert PAGE in browser.get("/o/acme/routing").content.decode()

    part = browser.post(PAGE, {"text": HUSH, "since": "7d"}, headers=HTMX).content.decode()
    assert "told to nobody" in part
    assert "Silenced by hush" in part
    whole = browser.post(PAGE, {"text": "a: [", "since": "7d"})
    assert whole.status_code == 422
    assert "Nothing was compared" in whole.content.decode()


def test_a_viewer_may_compare_only_what_it_may_write(acme: Org) -> None:
    browser = make_browser(acme, "viewer")
    assert browser.post(PAGE, {"text": "", "since": "7d"}).status_code == 200
    refused = browser.post(PAGE, {"text": HUSH, "since": "7d"})
    assert refused.status_code == 422
    assert "silences:create" in refused.content.decode()


def test_the_api_answers_with_counts_and_differences(acme: Org) -> None:
    browser = make_browser(acme, "admin")
    address = "/apis/notifications/v1/orgs/acme/replays"
    answer = browser.post(
        address, json.dumps({"proposed": HUSH, "since": "1d"}), content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["receivers"][0]["contact_point"] == "on-call"
    assert answer.json()["receivers"][0]["removed"] >= 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], ""),
        ({"sinze": "7d"}, "sinze"),
        ({"since": "yesterday"}, "since"),
        ({"until": "9999999999y"}, "until"),
        ({"proposed": "a: ["}, "proposed"),
        ({"manifests": "text"}, "manifests"),
        ({"alerts": [{"labels": {"a": 1}, "starts_at": "1h"}]}, "alerts[0].labels"),
        ({"alerts": [{"labels": {"a": "1"}}]}, "alerts[0].starts_at"),
        ({"location": "Nowhere/Land"}, "location"),
    ],
)
def test_a_wrong_field_is_named(given: Any, field: str) -> None:
    with pytest.raises(InvalidFieldsError) as wrong:
        replay_asked(given, now=utc_now())
    assert field in wrong.value.fields
