"""``monitoring/v1 Monitor`` over REST: shapes, defaults, refusals, subresources."""

from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.monitors.models import Heartbeat, Monitor, MonitorSchedule
from apps.orgs.models import Org
from tests.factories.accounts import make_member
from tests.factories.orgs import make_org
from tests.factories.series import RecordingStore

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("probe", "store")]

BASE = "/apis/monitoring/v1/orgs/acme/monitors"
SPEC = {"type": "probe", "config": {"host": "example.org"}}


@pytest.fixture
def org() -> Org:
    return make_org()


@pytest.fixture
def api(org: Org, client: Client) -> Client:
    client.force_login(make_member(org, "ops", "admin"))
    return client


def put(api: Client, spec: dict[str, Any], name: str = "home", **metadata: Any) -> Any:
    body = {
        "apiVersion": "monitoring/v1",
        "kind": "Monitor",
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }
    return api.put(f"{BASE}/{name}", body, content_type="application/json")


def test_a_short_spec_gets_its_defaults(api: Client) -> None:
    answer = put(api, SPEC, labels={"team": "web"})
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert body["metadata"]["labels"] == {"team": "web"}
    assert body["spec"] == {
        "title": "",
        "type": "probe",
        "description": "",
        "runbook_url": "",
        "notes": "",
        "location": "default",
        "interval": "1m",
        "timeout": "10s",
        "retries": 0,
        "retry_interval": "1m",
        "enabled": True,
        "inverted": False,
        "maintenance": False,
        "degraded_above": None,
        "down_above": None,
        "depends_on": [],
        "config": {"host": "example.org", "port": 80, "answer": "up"},
        "secrets": {},
    }
    assert body["status"]["state"] == "unknown"


def test_the_timeout_defaults_to_four_fifths_of_a_short_interval(api: Client) -> None:
    assert put(api, {**SPEC, "interval": "5s"}).json()["spec"]["timeout"] == "4s"


def test_putting_the_same_spec_again_changes_nothing(api: Client) -> None:
    first = put(api, SPEC).json()
    epoch = MonitorSchedule.objects.across_orgs(reason="test").get().epoch
    second = put(api, first["spec"])
    assert second.status_code == 200
    assert second.json()["metadata"] == first["metadata"]
    assert MonitorSchedule.objects.across_orgs(reason="test").get().epoch == epoch


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "no-such"}, "spec.type"),
        ({"interval": "30"}, "spec.interval"),
        ({"interval": 30}, "spec.interval"),
        ({"interval": "500ms"}, "spec.interval"),
        ({"interval": "25h"}, "spec.interval"),
        ({"interval": "5s", "timeout": "6s"}, "spec.timeout"),
        ({"retry_interval": "2m"}, "spec.retry_interval"),
        ({"retries": -1}, "spec.retries"),
        ({"enabled": "maybe"}, "spec.enabled"),
        ({"degraded_above": "2s", "down_above": "1s"}, "spec.down_above"),
        ({"location": "Not A Name"}, "spec.location"),
        ({"runbook_url": "javascript:alert(1)"}, "spec.runbook_url"),
        ({"config": "text"}, "spec.config"),
        ({"config": {}}, "spec.config.host"),
        ({"config": {"host": "exa mple"}}, "spec.config.host"),
        ({"config": {"host": "example.org", "port": 0}}, "spec.config.port"),
        ({"config": {"host": "example.org", "prot": 1}}, "spec.config.prot"),
        ({"config": {"host": "example.org", "token": "x"}}, "spec.config.token"),
        ({"secrets": {"tokn": "x"}}, "spec.secrets.tokn"),
        ({"secrets": {"token": 5}}, "spec.secrets.token"),
        ({"intervall": "30s"}, "spec.intervall"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    api: Client, change: dict[str, Any], field: str
) -> None:
    answer = put(api, {**SPEC, **change})
    assert answer.status_code == 422, answer.content
    assert field in str(answer.json())
    assert not Monitor.objects.across_orgs(reason="test").exists()


def test_secrets_are_never_read_back_and_survive_a_put(api: Client) -> None:
    answer = put(api, {**SPEC, "secrets": {"token": "hunter2hunter2"}})
    assert b"hunter2" not in answer.content
    spec = answer.json()["spec"]
    assert spec["secrets"] == {"token": {"set": True}}
    assert put(api, {**spec, "title": "Home"}).status_code == 200
    monitor = Monitor.objects.across_orgs(reason="test").get()
    assert dict(monitor.secrets) == {"token": "hunter2hunter2"}
    assert put(api, {**spec, "secrets": {"token": None}}).json()["spec"]["secrets"] == {}


def test_a_secret_must_be_entered_again_for_another_host(api: Client) -> None:
    spec = put(api, {**SPEC, "secrets": {"token": "hunter2hunter2"}}).json()["spec"]
    moved = {**spec, "config": {"host": "evil.example"}}
    answer = put(api, moved)
    assert answer.status_code == 422
    assert "spec.secrets.token" in str(answer.json())
    assert put(api, {**moved, "secrets": {"token": "another-one"}}).status_code == 200
    assert put(api, {**moved, "config": {"host": "evil.example", "port": 81}}).status_code == 200


def test_editing_what_matters_raises_the_epoch_and_ends_old_series(
    api: Client, org: Org, store: RecordingStore, django_capture_on_commit_callbacks: Any
) -> None:
    put(api, SPEC)
    before = MonitorSchedule.objects.for_org(org).get()
    with django_capture_on_commit_callbacks(execute=True):
        put(api, {**SPEC, "notes": "only words"})
    assert MonitorSchedule.objects.for_org(org).get().epoch == before.epoch
    with django_capture_on_commit_callbacks(execute=True):
        put(api, {**SPEC, "interval": "2m"})
    after = MonitorSchedule.objects.for_org(org).get()
    assert (after.epoch, after.interval_ms) == (before.epoch + 1, 120_000)
    assert after.config_version == before.config_version + 1


def test_pause_and_resume(api: Client, org: Org) -> None:
    put(api, SPEC)
    assert api.post(f"{BASE}/home/pause").status_code == 200
    body = api.get(f"{BASE}/home").json()
    assert (body["spec"]["enabled"], body["status"]["paused"]) == (False, True)
    assert not MonitorSchedule.objects.for_org(org).get().is_active
    api.post(f"{BASE}/home/resume")
    assert MonitorSchedule.objects.for_org(org).get().is_active


def test_run_answers_with_evidence_and_changes_nothing(api: Client, org: Org) -> None:
    spec = {**SPEC, "config": {**SPEC["config"], "answer": "down"}, "secrets": {"token": "abcdef"}}  # type: ignore[dict-item]  # a dict above
    put(api, spec)
    answer = api.post(f"{BASE}/home/run")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["state"], body["message"]) == ("down", "as configured")
    assert body["evidence"] == {"token_length": 6}
    assert api.get(f"{BASE}/home").json()["status"]["last_check_at"] is None


def test_a_spec_can_be_tested_before_it_is_saved(api: Client) -> None:
    body = {"spec": {**SPEC, "inverted": True}}
    answer = api.post(f"{BASE}/test", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "down"
    assert not Monitor.objects.across_orgs(reason="test").exists()
    bad = api.post(f"{BASE}/test", {"spec": {"type": "probe"}}, content_type="application/json")
    assert bad.status_code == 422


@pytest.mark.parametrize("path", ["states", "uptime"])
def test_history_and_uptime_answer_before_the_first_check(api: Client, path: str) -> None:
    put(api, SPEC)
    assert api.get(f"{BASE}/home/{path}").status_code == 200


def test_a_push_monitor_gets_an_address(api: Client, org: Org) -> None:
    answer = put(api, {"type": "push", "config": {"period": "1h"}})
    assert answer.status_code == 201, answer.content
    address = api.get(f"{BASE}/home/heartbeat").json()["url"]
    assert api.get(address.removeprefix("http://testserver")).status_code == 200
    assert Heartbeat.objects.for_org(org).get().last_success_at is not None
    rotated = api.post(f"{BASE}/home/rotate-token").json()["url"]
    assert rotated != address


def test_lists_filter_by_state_and_spec(api: Client) -> None:
    put(api, SPEC, "a")
    put(api, {**SPEC, "enabled": False}, "b")
    found = api.get(f"{BASE}?field_selector=spec.enabled=false").json()["items"]
    assert [item["metadata"]["name"] for item in found] == ["b"]
    found = api.get(f"{BASE}?field_selector=status.state=unknown").json()["items"]
    assert len(found) == 2


def test_a_list_costs_the_same_queries_for_one_and_for_twenty(
    api: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        put(api, SPEC, f"m-{number}")
    with django_assert_max_num_queries(8):
        assert len(api.get(BASE).json()["items"]) == 20


def test_a_viewer_reads_and_does_nothing_else(org: Org, api: Client) -> None:
    put(api, SPEC)
    viewer = Client()
    viewer.force_login(make_member(org, "guest", "viewer"))
    assert viewer.get(f"{BASE}/home").status_code == 200
    for path in ("run", "pause", "resume", "rotate-token"):
        assert viewer.post(f"{BASE}/home/{path}").status_code == 403
    assert viewer.get(f"{BASE}/home/heartbeat").status_code == 403
    assert viewer.delete(f"{BASE}/home").status_code == 403


def test_deleting_removes_everything(api: Client, org: Org) -> None:
    put(api, SPEC)
    assert api.delete(f"{BASE}/home").status_code in {200, 204}
    assert not MonitorSchedule.objects.for_org(org).exists()
    assert User.objects.filter(username="ops").exists()


def test_monitors_in_a_circle_are_refused_by_name(api: Client) -> None:
    assert put(api, {**SPEC, "depends_on": ["b"]}, name="a").status_code == 201
    assert put(api, {**SPEC, "depends_on": ["c", "c"]}, name="b").json()["spec"]["depends_on"] == [
        "c"
    ]
    answer = put(api, {**SPEC, "depends_on": ["a"]}, name="c")
    assert answer.status_code == 422
    assert "c → a → b → c" in answer.content.decode()
    assert put(api, {**SPEC, "depends_on": ["d"]}, name="d").status_code == 422
