"""The push door, from the URL to the row."""

from datetime import timedelta

import pytest
from django.test import Client

from apps.monitors.models import Heartbeat, Monitor, MonitorSchedule
from apps.monitors.services.heartbeats import heartbeat_ensure, heartbeat_rotate
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.monitors import make_monitor
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_org()


@pytest.fixture
def job(org: Org) -> Monitor:
    monitor = make_monitor(org, "backup", type="push", now=utc_now() + timedelta(hours=1))
    heartbeat_ensure(monitor=monitor, now=utc_now())
    return monitor


@pytest.fixture
def strict_client() -> Client:
    return Client(enforce_csrf_checks=True)


def url(monitor: Monitor, rest: str = "") -> str:
    token = heard(monitor).token["token"]
    return f"/orgs/{monitor.org.name}/push/{token}{rest}"


def heard(monitor: Monitor) -> Heartbeat:
    found: Heartbeat = Heartbeat.objects.for_org(monitor.org_id).get(monitor=monitor)
    return found


@pytest.mark.parametrize("method", ["get", "post", "head"])
def test_a_push_is_a_success_and_makes_the_monitor_due(
    strict_client: Client, job: Monitor, method: str
) -> None:
    answer = getattr(strict_client, method)(url(job))
    assert answer.status_code == 200
    heartbeat = heard(job)
    assert heartbeat.last_success_at is not None
    assert heartbeat.last_fail_at is None
    due_ms = MonitorSchedule.objects.for_org(job.org).get().next_due_ms
    assert due_ms <= utc_now().timestamp() * 1000


def test_start_and_finish_are_paired_by_run_id(client: Client, job: Monitor) -> None:
    client.get(url(job, "/start?rid=a"))
    client.get(url(job, "/start?rid=b"))
    assert set(heard(job).runs) == {"a", "b"}
    client.get(url(job, "?rid=a"))
    heartbeat = heard(job)
    assert set(heartbeat.runs) == {"b"}
    assert heartbeat.last_duration_s is not None
    assert 0 <= heartbeat.last_duration_s < 5
    assert heartbeat.last_start_at is not None


def test_a_failure_keeps_its_message_and_exit_code(client: Client, job: Monitor) -> None:
    client.post(url(job, "/3"), "disk full\0" + "x" * 20_000, content_type="text/plain")
    heartbeat = heard(job)
    assert heartbeat.last_exit_code == 3
    assert heartbeat.last_fail_at is not None
    assert heartbeat.last_success_at is None
    assert heartbeat.last_message.startswith("disk full\ufffdxxx")
    assert len(heartbeat.last_message) == 10_000


def test_exit_code_zero_is_a_success(client: Client, job: Monitor) -> None:
    client.get(url(job, "/0?duration=12.5&msg=done"))
    heartbeat = heard(job)
    assert heartbeat.last_success_at is not None
    assert (heartbeat.last_exit_code, heartbeat.last_duration_s) == (0, 12.5)
    assert heartbeat.last_message == "done"


def test_pings_are_capped(client: Client, job: Monitor) -> None:
    for number in range(25):
        client.get(url(job, f"?msg={number}"))
    pings = heard(job).pings
    assert [ping["message"] for ping in pings] == [str(n) for n in range(24, 4, -1)]


@pytest.mark.parametrize("rest", ["/256", "/nonsense", "/-1", "/start/more"])
def test_a_signal_without_meaning_is_not_found(client: Client, job: Monitor, rest: str) -> None:
    assert client.get(url(job, rest)).status_code == 404


def test_everything_wrong_with_a_token_is_the_same_404(client: Client, job: Monitor) -> None:
    other = make_org("other")
    token = heard(job).token["token"]
    answers = [
        client.get(f"/orgs/{job.org.name}/push/wrong"),
        client.get(f"/orgs/nobody/push/{token}"),
        client.get(f"/orgs/{other.name}/push/{token}"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_a_rotated_token_replaces_the_old_one(client: Client, job: Monitor) -> None:
    old = url(job)
    heartbeat_rotate(monitor=job)
    assert client.get(old).status_code == 404
    assert client.get(url(job)).status_code == 200


def test_the_token_is_not_stored_in_the_clear(job: Monitor) -> None:
    token = heard(job).token["token"]
    stored = Heartbeat.objects.for_org(job.org).values_list("token", "token_hash").get()
    assert token not in str(stored)
