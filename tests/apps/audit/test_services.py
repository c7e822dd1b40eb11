from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from apps.accounts.models import User
from apps.accounts.services.users import membership_add
from apps.audit.errors import ChainBrokenError
from apps.audit.models import AuditChain, AuditEvent, AuditIsAppendOnlyError
from apps.audit.selectors import audit_due_for_pruning, audit_list, audit_list_platform
from apps.audit.services import MAX_DOCUMENT, Entry, audit_prune, audit_record, audit_verify
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.observability.context import Actor, RequestContext, context
from tests.factories.accounts import PASSWORD, make_full_org, make_member, make_user
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


def record(org: Org | None, action: str = "monitor.create", **fields: Any) -> AuditEvent:
    return audit_record(Entry(action=action, org_id=org.pk if org else None, **fields))


def tamper(sql: str, *values: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def test_an_event_says_who_from_where_and_in_which_request() -> None:
    actor = Actor(user_id=7, name="alice", via="apikey")
    caller = RequestContext(
        request_id="req-12345678", address="192.0.2.1", actor_source=lambda: actor
    )
    with context(caller):
        event = record(make_org(), kind="Monitor", name="web", after={"spec": {"x": 1}})
    stored = AuditEvent.objects.get()
    assert stored == event
    assert (stored.actor_id, stored.actor_name, stored.via) == (7, "alice", "apikey")
    assert (stored.address, stored.request_id) == ("192.0.2.1", "req-12345678")
    assert stored.after == {"spec": {"x": 1}}
    assert stored.before is None


def test_an_actor_other_than_the_caller_is_named() -> None:
    bob = make_user("bob")
    assert record(None, actor_id=bob.pk).actor_name == "bob"
    assert record(None, actor_id=10**9).actor_name == f"user {10**9}"


def test_secrets_never_reach_the_log() -> None:
    record(
        make_org(),
        before={"spec": {"secrets": {"anything": "hunter2"}, "url": "http://u:hunter2@h/"}},
        after={"spec": {"password": "hunter2", "secrets": {"anything": {"set": True}}}},
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT before_json, after_json FROM audit_auditevent")
        text = str(cursor.fetchall())
    assert "hunter2" not in text
    assert '"set":true' in text


def test_a_huge_document_is_replaced_by_its_digest() -> None:
    event = record(make_org(), after={"spec": {"note": "x" * MAX_DOCUMENT}})
    assert set(event.after) == {"too_large", "sha256"}


def test_hostile_text_is_stored_harmlessly() -> None:
    event = record(make_org(), name="a\x00b" * 100, after={"\x00": "\x00 \ud83d"})
    assert "\x00" not in event.name
    assert len(event.name) == 200
    assert audit_verify(scope=event.scope) == 1


def test_each_org_has_a_chain_of_its_own() -> None:
    acme, other = make_org("acme"), make_org("other")
    events = [record(acme), record(other), record(None), record(acme)]
    assert [event.seq for event in events] == [1, 1, 1, 2]
    assert events[3].prev_hash == events[0].hash
    assert [audit_verify(scope=org.uid) for org in (acme, other)] == [2, 1]
    assert audit_verify(scope="platform") == 1
    assert audit_verify(scope="no-such-chain") == 0
    assert set(audit_list(acme)) == {events[0], events[3]}
    assert list(audit_list_platform()) == [events[2]]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_auditevent SET actor_name = 'mallory' WHERE seq = 2",
        "UPDATE audit_auditevent SET after_json = '{}' WHERE seq = 2",
        "UPDATE audit_auditevent SET is_success = NOT is_success WHERE seq = 2",
        "UPDATE audit_auditevent SET address = '192.0.2.9' WHERE seq = 2",
        "UPDATE audit_auditevent SET hash = prev_hash WHERE seq = 3",
        "DELETE FROM audit_auditevent WHERE seq = 1",
        "DELETE FROM audit_auditevent WHERE seq = 2",
        "DELETE FROM audit_auditevent WHERE seq = 3",
        "UPDATE audit_auditevent SET seq = 9 WHERE seq = 3",
    ],
)
def test_tampering_shows(sql: str) -> None:
    org = make_org()
    for name in ("a", "b", "c"):
        record(org, name=name)
    assert audit_verify(scope=org.uid) == 3
    tamper(sql)
    with pytest.raises(ChainBrokenError):
        audit_verify(scope=org.uid)


def test_events_can_not_be_changed_through_the_models() -> None:
    event = record(make_org())
    for attempt in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(name="x"),
    ):
        with pytest.raises(AuditIsAppendOnlyError):
            attempt()


def test_retention_cuts_the_beginning_and_the_rest_still_proves_itself() -> None:
    org, now = make_org(), utc_now()
    for _ in range(3):
        record(org)
    tamper("UPDATE audit_auditevent SET at = %s WHERE seq < 3", now - timedelta(days=400))
    assert audit_due_for_pruning(before=now - timedelta(days=365)) == [org.uid]
    assert audit_prune(scope=org.uid, before=now - timedelta(days=365)) == 2
    assert audit_prune(scope=org.uid, before=now - timedelta(days=365)) == 0
    assert audit_verify(scope=org.uid) == 1
    record(org)
    assert audit_verify(scope=org.uid) == 2
    tamper("DELETE FROM audit_auditevent WHERE seq = 3")
    with pytest.raises(ChainBrokenError):
        audit_verify(scope=org.uid)


def test_deleting_an_org_removes_its_events_and_is_recorded_by_the_platform() -> None:
    org = make_full_org()
    assert AuditChain.objects.filter(scope=org.uid).exists()
    org.delete()
    assert not AuditEvent.objects.filter(scope=org.uid).exists()
    assert not AuditChain.objects.filter(scope=org.uid).exists()


def test_sign_in_failure_and_sign_out_are_recorded_for_the_org_and_the_platform(
    client: Client,
) -> None:
    org = make_org()
    user = make_member(org, "alice")
    client.post("/login", {"username": "alice", "password": "hunter2"})
    client.post("/login", {"username": "alice", "password": PASSWORD})
    client.post("/logout")
    actions = ["auth.login_failed", "auth.login", "auth.logout"]
    for rows in (audit_list(org), audit_list_platform()):
        found = list(rows.order_by("seq"))
        assert [event.action for event in found] == actions
        assert {event.actor_id for event in found} == {user.pk}
        assert {event.address for event in found} == {"127.0.0.1"}
        assert [event.is_success for event in found] == [False, True, True]
    assert "hunter2" not in str(AuditEvent.objects.values())


def test_a_lockout_is_recorded(client: Client) -> None:
    make_user("alice")
    for _ in range(5):
        client.post("/login", {"username": "alice", "password": "wrong"})
    assert audit_list_platform().filter(action="auth.lockout", name="alice").exists()


def test_a_failed_sign_in_under_an_unknown_name_is_the_platforms(client: Client) -> None:
    client.post("/login", {"username": "nobody", "password": "x"})
    event = audit_list_platform().get()
    assert (event.action, event.actor_name, event.actor_id) == (
        "auth.login_failed",
        "nobody",
        None,
    )


def test_joining_and_writes_are_recorded() -> None:
    org = make_full_org()
    membership_add(org=org, user=make_user("bob"), actor=User.objects.get(username="acme-admin"))
    actions = set(audit_list(org).values_list("action", flat=True))
    assert {"org.create", "user.join"} <= actions
