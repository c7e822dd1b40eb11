"""What changes a resource without writing its spec is in the audit log too, for every kind."""

from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.audit.models import AuditEvent
from apps.orgs.models import Org
from detectviz.resources.registry import ResourceKind, Subresource, registry
from detectviz.resources.services import resource_write
from tests.factories.accounts import make_full_org, make_member
from tests.isolation.manifests import spec_of

pytestmark = pytest.mark.django_db

# What is posted, changes something and tells audit in its own words, by the event's action.
TELLS_ITSELF = {
    "Alert": {"acknowledge", "unacknowledge", "assign", "snooze", "unsnooze", "comment", "close"},
    "Incident": {"note", "gather"},
    "Monitor": {"pause", "resume"},
    "OnCallSchedule": {"override", "override-end", "rotate-token"},
    "Pipeline": {"run", "cancel", "resume"},
    "RuleGroup": {"backfill", "restore-builtin"},
}
# What is posted and leaves the resource as it is: questions, trials, checks made sooner.
CHANGES_NOTHING = {
    "Alert": {"handle"},  # the single actions tell
    "ContactPoint": {"test"},
    "Datasource": {"health"},
    "InhibitionRule": {"preview"},
    "Monitor": {"run", "test"},
    "NotificationTemplate": {"preview"},
    "RoutingTree": {"explain"},
    "RuleGroup": {"evaluate-preview", "backtest"},
    "Silence": {"preview"},
}
BEFORE = {("MaintenanceWindow", "end"): "begin"}


def posted() -> list[tuple[ResourceKind[Any], Subresource]]:
    return [(kind, item) for kind in registry for item in kind.subresources if item.method != "GET"]


ACTS = [(kind, item) for kind, item in posted() if item.is_act]


@pytest.fixture
def org() -> Org:
    return make_full_org("acme")


@pytest.fixture
def client(org: Org) -> Client:
    client = Client()
    client.force_login(
        make_member(org, "ada", "admin"), backend="apps.accounts.services.signin.PersonBackend"
    )
    return client


def test_everything_posted_below_a_resource_is_an_act_or_says_why_not() -> None:
    undecided = [
        f"{kind.kind}/{item.name}"
        for kind, item in posted()
        if not item.is_act
        and item.name not in TELLS_ITSELF.get(kind.kind, set())
        and item.name not in CHANGES_NOTHING.get(kind.kind, set())
    ]
    assert undecided == []


@pytest.mark.parametrize(("kind", "item"), ACTS, ids=[f"{k.kind}-{i.name}" for k, i in ACTS])
def test_every_act_is_written_down(
    org: Org, client: Client, kind: ResourceKind[Any], item: Subresource
) -> None:
    ada = User.objects.get(username="ada")
    resource_write(kind, org=org, actor=ada, name="it", spec=spec_of(kind.kind, "mark"))
    path = f"/apis/{kind.api_version}/orgs/acme/{kind.plural}/it"
    if (before := BEFORE.get((kind.kind, item.name))) is not None:
        assert client.post(f"{path}/{before}").status_code == 200
    answer = client.post(f"{path}/{item.name}", {}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    event = AuditEvent.objects.get(org=org, action=f"{kind.kind.lower()}.{item.name}")
    assert (event.actor_name, event.kind, event.name) == ("ada", kind.kind, "it")
    assert event.before["metadata"]["uid"] == event.after["metadata"]["uid"] == event.object_uid


def test_a_silence_ended_by_amtool_says_who_ended_it(org: Org, client: Client) -> None:
    kind = registry.by_kind("alerting/v1", "Silence")
    assert kind is not None
    made = resource_write(kind, org=org, actor=None, name="night", spec=spec_of("Silence", "mark"))
    door = "/orgs/acme/alertmanager/api/v2/silence"
    listed = client.get(f"{door}s").json()
    assert client.delete(f"{door}/{listed[0]['id']}").status_code == 200
    event = AuditEvent.objects.get(org=org, action="silence.expire")
    assert (event.actor_name, event.name, event.object_uid) == ("ada", "night", made.instance.uid)
    assert event.before["status"]["state"] == "active"
    assert event.after["status"]["state"] == "expired"
