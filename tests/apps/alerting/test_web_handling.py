"""Acting on alerts from their pages and through REST."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.alerting.models import Alert, AlertHandling, HandlingEvent, RuleGroup
from apps.alerting.services.builtin import builtin_create
from apps.audit.models import AuditEvent
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.monitors import START, make_monitor
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
LIST = "/o/acme/alerts"
REST = "/apis/alerting/v1/orgs/acme/alerts"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def group(acme: Org) -> RuleGroup:
    return builtin_create(org=acme, now=START)


@pytest.fixture
def operator(acme: Org) -> Client:
    return make_browser(acme)


def make_alert(group: RuleGroup, name: str, state: str = "firing") -> Alert:
    alert: Alert = Alert.objects.create_for(
        group.org,
        rule=group.rules.all()[0],
        name=name,
        fingerprint=name,
        labels={"alertname": "MonitorDown", "monitor": name},
        annotations={"summary": f"{name} is down"},
        state=state,
        value="0",
        active_at=START,
        fired_at=START,
    )
    return alert


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(f"{REST}/{path}", body, content_type="application/json")


def test_the_list_marks_what_holds_an_alert_back_and_the_page_leads_to_its_monitor(
    group: RuleGroup, operator: Client
) -> None:
    make_monitor(group.org, "home")
    alert = make_alert(group, "home")
    assert "Silenced" not in operator.get(LIST).content.decode()
    alert.suppressed_by = [
        {"kind": "silence", "name": "quiet"},
        {"kind": "mute_time", "name": "nights"},
    ]
    alert.save(update_fields=["suppressed_by"])
    listed = operator.get(LIST).content.decode()
    assert "Silenced" in listed
    assert "Muted at this time" in listed
    assert 'href="/o/acme/monitors/m/home"' in operator.get(f"{LIST}/home").content.decode()
    make_alert(group, "gone")
    assert "/monitors/m/gone" not in operator.get(f"{LIST}/gone").content.decode()


def test_acknowledging_on_the_page_shows_who_did_it(group: RuleGroup, operator: Client) -> None:
    make_alert(group, "home")
    before = operator.get(f"{LIST}/home").content.decode()
    assert 'value="acknowledge"' in before
    answer = operator.post(f"{LIST}/home/handle", {"action": "acknowledge", "comment": "Mine"})
    assert answer.status_code == 302
    html = operator.get(f"{LIST}/home").content.decode()
    assert "Acknowledged by operator" in html
    assert "Mine" in html
    assert "Acknowledged by operator" in operator.get(LIST).content.decode()


def test_many_are_handled_at_once(group: RuleGroup, operator: Client) -> None:
    for name in ("a", "b", "c"):
        make_alert(group, name)
    answer = operator.post(
        f"{LIST}/bulk", {"action": "snooze", "span": "1h", "alert": ["a", "b"]}, headers=HTMX
    )
    assert answer.status_code == 200
    assert answer.content.decode().count("Snoozed") == 2
    assert "action=snooze" not in answer.content.decode()  # what was done is no filter


def test_closed_alerts_have_a_tab_of_their_own(group: RuleGroup, operator: Client) -> None:
    make_alert(group, "home")
    operator.post(f"{LIST}/home/handle", {"action": "close"})
    assert "home is down" not in operator.get(LIST).content.decode().split("Latest changes")[0]
    assert "home is down" in operator.get(f"{LIST}?state=closed").content.decode()


@pytest.mark.parametrize(
    "data",
    [
        {"action": "explode"},
        {"action": "snooze"},
        {"action": "snooze", "span": "soon"},
        {"action": "comment"},
        {"action": "assign", "assignee": "user:nobody"},
        {"action": "assign", "assignee": "robot:x"},
    ],
)
def test_what_makes_no_sense_is_refused(
    group: RuleGroup, operator: Client, data: dict[str, str]
) -> None:
    make_alert(group, "home")
    assert operator.post(f"{LIST}/home/handle", data).status_code in {400, 422}
    assert not AlertHandling.objects.for_org(group.org).exists()


def test_a_viewer_sees_what_was_done_and_can_do_nothing(group: RuleGroup, acme: Org) -> None:
    make_alert(group, "home")
    viewer = make_browser(acme, "viewer")
    html = viewer.get(f"{LIST}/home").content.decode()
    assert "Nobody has done anything about it yet" in html
    assert 'value="acknowledge"' not in html
    assert viewer.post(f"{LIST}/home/handle", {"action": "close"}).status_code == 403
    assert "data-select-all" not in viewer.get(LIST).content.decode()


def test_rest_takes_each_action_and_audit_knows_of_it(group: RuleGroup, operator: Client) -> None:
    make_alert(group, "home")
    until = "2126-01-01T00:00:00Z"
    assert post(operator, "home/acknowledge", comment="On it").status_code == 200
    assert post(operator, "home/assign", kind="user", assignee="operator").status_code == 200
    assert post(operator, "home/snooze", until=until).status_code == 200
    assert post(operator, "home/comment", comment="It is the disk").status_code == 200
    current = operator.get(f"{REST}/home/handling").json()["current"]
    assert current["acknowledged_by"] == "operator"
    assert current["assignee"] == {"kind": "user", "name": "operator"}
    assert current["snoozed_until"].startswith("2126-01-01")
    answer = post(operator, "home/close", comment="Done")
    assert [item["action"] for item in answer.json()["items"]] == [
        "close",
        "comment",
        "snooze",
        "assign",
        "acknowledge",
    ]
    assert post(operator, "home/acknowledge").status_code == 409
    written = AuditEvent.objects.filter(org=group.org, action__startswith="alert.")
    assert {event.action for event in written} == {
        "alert.acknowledge",
        "alert.assign",
        "alert.snooze",
        "alert.comment",
        "alert.close",
    }


def test_rest_handles_many_by_name(group: RuleGroup, operator: Client) -> None:
    make_alert(group, "a")
    make_alert(group, "b", "resolved")
    answer = post(operator, "handle", action="acknowledge", names=["a", "b", "none"])
    assert answer.json() == {"handled": 1}
    assert HandlingEvent.objects.for_org(group.org).count() == 1


def test_a_time_that_is_over_is_refused(group: RuleGroup, operator: Client) -> None:
    make_alert(group, "home")
    answer = post(operator, "home/snooze", until=utc_now().isoformat())
    assert answer.status_code == 422
    assert post(operator, "home/snooze").status_code == 422


def test_programs_see_in_lists_how_alerts_stand_with_people_and_choose_by_it(
    group: RuleGroup, operator: Client, django_assert_max_num_queries: Any
) -> None:
    for name in ("home", "shop", "mail", "news"):
        make_alert(group, name)
    post(operator, "home/acknowledge")
    post(operator, "shop/assign", assignee="operator")
    post(operator, "shop/comment", comment="the disk again")
    post(operator, "mail/snooze", until=(utc_now() + timedelta(hours=1)).isoformat())
    post(operator, "mail/close")

    def chosen(selector: str) -> list[str]:
        answer = operator.get(REST, {"field_selector": selector})
        return [item["metadata"]["name"] for item in answer.json()["items"]]

    assert chosen("status.handling.acknowledged=true") == ["home"]
    assert chosen("status.handling.acknowledged!=true") == ["mail", "news", "shop"]
    assert chosen("status.handling.snoozed=true") == ["mail"]
    assert chosen("status.handling.closed=true") == ["mail"]
    assert chosen("status.handling.assignee=operator") == ["shop"]
    assert chosen("status.handling.closed=false,status.handling.assignee=") == ["home", "news"]
    with django_assert_max_num_queries(16):
        items = operator.get(REST).json()["items"]
    stand = {item["metadata"]["name"]: item["status"]["handling"] for item in items}
    assert stand["home"]["acknowledged_by"] == "operator"
    assert stand["shop"]["assignee"] == {"kind": "user", "name": "operator"}
    assert [stand[name]["comments"] for name in ("home", "shop")] == [0, 1]
    assert stand["mail"]["closed"] is stand["mail"]["snoozed"] is True
    assert operator.get(f"{REST}/news").json()["status"]["handling"]["acknowledged"] is False
    AlertHandling.objects.for_org(group.org_id).filter(fingerprint="mail").update(
        snoozed_until=START
    )
    assert chosen("status.handling.snoozed=true") == []
