"""The twin tells what the dispatcher tells, and compares."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.alerting.enums import AlertState
from apps.alerting.models import AlertEvent
from apps.notifications.models import (
    AlertGroup,
    ContactPoint,
    Delivery,
    InhibitionRule,
    RoutingTree,
    Silence,
    TimeInterval,
)
from apps.notifications.selectors import routing_tree_get
from apps.notifications.services.configuration import contact_point_write, routing_tree_write
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.delivery_leases import deliveries_due
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.inbox import alerts_receive
from apps.notifications.services.twin.diff import Difference
from apps.notifications.services.twin.engine import plan_replay
from apps.notifications.services.twin.plans import plan_stored
from apps.notifications.services.twin.replays import Replay, ReplayAsked, routes_replay
from apps.notifications.services.twin.values import AlertWord, Told
from detectviz.events.types import AlertChanged
from detectviz.resources.errors import InvalidFieldsError, LimitExceededError
from detectviz.resources.yaml import load_documents
from tests.factories.dispatch import START, World, world_made

pytestmark = pytest.mark.django_db

LASTS = timedelta(minutes=40)
TREE = {
    "contact_point": "ops",
    "group_by": ["alertname"],
    "group_wait": "10s",
    "group_interval": "60s",
    "repeat_interval": "300s",
    "routes": [
        {"contact_point": "quiet", "matchers": ['team="web"'], "continue": True, "group_by": []},
        {
            "matchers": ['team="web"', 'severity="warning"'],
            "mute_time_intervals": ["lunch"],
            "group_by": ["..."],
            "resolve_immediately": True,
        },
        {
            "matchers": ['team="db"'],
            "active_time_intervals": ["lunch"],
            "notify_resolved_while_muted": True,
            "group_wait": "0s",
        },
    ],
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        yield made


@pytest.mark.parametrize("seed", range(3))
def test_the_twin_tells_what_the_dispatcher_told(world: World, seed: int) -> None:
    _configure_richly(world)
    words = _words(random.Random(seed))
    until = START + LASTS

    told = plan_replay(plan_stored(world.org), words, until=until).told
    _run_dispatcher(world, words, until)

    real = [
        (row.created_at, row.contact_point, row.receiver, sorted(row.firing), sorted(row.resolved))
        for row in Delivery.all_orgs.order_by("created_at")
    ]
    assert len(real) > 10
    assert sorted(_short(each) for each in told) == sorted(real)


def test_a_replay_asks_the_database_nothing(world: World, django_assert_num_queries: Any) -> None:
    _configure_richly(world)
    plan = plan_stored(world.org)
    words = _words(random.Random(7))
    with django_assert_num_queries(0):
        assert plan_replay(plan, words, until=START + LASTS).told


def test_too_much_at_once_is_refused_with_a_sentence(world: World) -> None:
    words = _words(random.Random(7))
    with pytest.raises(LimitExceededError, match="shorter time"):
        plan_replay(plan_stored(world.org), words, until=START + LASTS, max_work=20)


def test_the_same_configuration_makes_no_difference(world: World) -> None:
    _fired(world, "a", START)
    found = _replay(world, "")
    assert found.comparison.rows == []
    assert found.comparison.lost == []
    assert found.alerts == 1
    assert len(found.present.told) == len(found.proposed.told) > 0


def test_a_silence_takes_an_alert_away_and_is_named(world: World) -> None:
    _fired(world, "a", START)
    found = _replay(
        world,
        """
        apiVersion: alerting/v1
        kind: Silence
        metadata: {name: hush}
        spec: {matchers: ['alertname="Down"'], ends_at: "2099-01-01T00:00:00Z", comment: quiet}
        """,
    )
    assert [one.firing.fingerprint for one in found.untold] == ["a"]
    assert found.untold[0].causes[0].name == "hush"
    assert {row.difference for row in found.comparison.rows} == {Difference.REMOVED}
    assert not Silence.all_orgs.exists()


def test_a_tree_that_forgets_an_alert_says_where_it_goes(world: World) -> None:
    _fired(world, "a", START)
    contact_point_write(org=world.org, name="b", title="", receivers=[], instance=None)
    found = _replay(
        world,
        """
        apiVersion: notifications/v1
        kind: RoutingTree
        metadata: {name: default}
        spec: {contact_point: b, group_by: [alertname]}
        """,
    )
    [lost] = found.comparison.lost
    assert lost.is_untold
    assert lost.causes[0].detail == "it is routed to b"
    assert lost.causes[1].kind == "disabled"
    assert RoutingTree.objects.for_org(world.org).get().root["contact_point"] == "ops"


def test_another_wait_moves_notifications(world: World) -> None:
    _fired(world, "a", START, lasts=timedelta(minutes=3))
    tree = {**routing_tree_get(org=world.org).root, "group_wait": "30s"}  # type: ignore[union-attr]  # the world has a tree
    document = {
        "apiVersion": "notifications/v1",
        "kind": "RoutingTree",
        "metadata": {"name": "default"},
        "spec": tree,
    }
    found = _replay_documents(world, [document])
    first = found.comparison.rows[0]
    assert first.difference is Difference.MOVED
    assert first.before is not None
    assert first.after is not None
    assert first.after.at - first.before.at == timedelta(seconds=20)
    assert found.comparison.lost == []


def test_an_alertmanager_file_is_a_whole_proposal(world: World) -> None:
    _fired(world, "a", START)
    found = _replay(
        world,
        """
        route: {receiver: chat, group_by: [alertname]}
        receivers:
          - name: chat
            webhook_configs: [{url: "http://127.0.0.1:9/other"}]
        """,
    )
    listeners = found.comparison.counts
    assert listeners[("ops", "webhook")].after == 0
    assert listeners[("chat", "webhook")].after > 0
    assert found.untold == []
    assert [one.contact_point for one in found.comparison.lost] == ["ops"]
    assert not ContactPoint.all_orgs.filter(name="chat").exists()


def test_a_file_of_grafana_is_a_proposal_and_its_rules_are_left_out(world: World) -> None:
    _fired(world, "a", START)
    found = _replay(
        world,
        """
        apiVersion: 1
        groups: [{name: Web, folder: Shop, rules: []}]
        policies: [{receiver: Chat, group_by: [alertname]}]
        contactPoints:
          - name: Chat
            receivers: [{type: webhook, settings: {url: "http://127.0.0.1:9/other"}}]
        """,
    )
    assert found.comparison.counts[("ops", "webhook")].after == 0
    assert found.comparison.counts[("chat", "webhook")].after > 0
    left_out = [loss["why"] for loss in found.losses if "left out" in loss["why"]]
    assert [why.split(" left out")[0] for why in left_out] == ["Folder (1)", "RuleGroup (1)"]


def test_a_silence_can_be_thought_away(world: World) -> None:
    _fired(world, "a", START)
    Silence.objects.create_for(
        world.org,
        name="hush",
        matcher_sets=[['alertname="Down"']],
        starts_at=START,
        ends_at=START + LASTS,
    )
    found = _replay_documents(world, [], without=["Silence/hush"])
    assert {row.difference for row in found.comparison.rows} == {Difference.ADDED}
    assert [one.firing.fingerprint for one in found.comparison.gained] == ["a"]


def test_alerts_of_a_file_are_replayed_instead(world: World) -> None:
    alert = {"labels": {"alertname": "Made"}, "starts_at": START + timedelta(minutes=1)}
    found = _replay_documents(world, [], alerts=[alert])
    assert found.alerts == 1
    assert found.present.told[0].at == START + timedelta(minutes=1, seconds=10)


@pytest.mark.parametrize(
    "changes",
    [
        {"since": START - timedelta(days=40)},
        {"documents": [{"apiVersion": "monitoring/v1", "kind": "Monitor"}]},
        {"documents": ["text"]},
        {"without": ["ContactPoint/ops"]},
        {"alerts": [{"labels": {}, "starts_at": START}]},
        {"alerts": [{"labels": {"a": "b"}, "starts_at": START + timedelta(days=1)}]},
    ],
)
def test_what_cannot_be_replayed_is_said(world: World, changes: dict[str, Any]) -> None:
    asked = ReplayAsked(**{"since": START, "until": START + LASTS, **changes})
    with pytest.raises(InvalidFieldsError):
        routes_replay(org=world.org, actor=None, access=None, asked=asked)


def _configure_richly(world: World) -> None:
    receivers = [
        {"notifier": "webhook", "name": name, "config": {"url": "http://127.0.0.1:9/q"}, **rest}
        for name, rest in (("one", {"send_resolved": False}), ("two", {}))
    ]
    contact_point_write(org=world.org, name="quiet", title="", receivers=receivers, instance=None)
    TimeInterval.objects.create_for(
        world.org,
        name="lunch",
        intervals=[{"times": [{"start_time": "00:10", "end_time": "00:20"}]}],
    )
    InhibitionRule.objects.create_for(
        world.org,
        name="worst",
        source_matchers=['severity="critical"'],
        target_matchers=['severity="warning"'],
        equal=["team"],
    )
    Silence.objects.create_for(
        world.org,
        name="hush",
        matcher_sets=[['host="h2"']],
        starts_at=START + timedelta(minutes=5),
        ends_at=START + timedelta(minutes=15),
    )
    routing_tree_write(
        org=world.org, name="default", root=TREE, instance=routing_tree_get(org=world.org)
    )


def _words(dice: random.Random) -> list[AlertWord]:
    """Return a scenario: nine alerts that begin and end to fire at whole seconds."""
    words: list[AlertWord] = []
    for number in range(9):
        labels = {
            "alertname": dice.choice(["Down", "Slow"]),
            "team": dice.choice(["web", "db", "ops"]),
            "severity": dice.choice(["critical", "warning"]),
            "host": f"h{number}",
        }
        at = START + timedelta(seconds=dice.randrange(300))
        while at < START + LASTS:
            lasts = timedelta(seconds=dice.choice([5, 40, 200, 900]))
            common: dict[str, Any] = {
                "fingerprint": f"f{number}",
                "labels": labels,
                "starts_at": at,
            }
            words.append(AlertWord(at=at, is_resolved=False, rule_group="web", **common))
            words.append(AlertWord(at=at + lasts, is_resolved=True, rule_group="web", **common))
            at += lasts + timedelta(seconds=dice.choice([20, 150, 700]))
    return sorted(words, key=lambda word: word.at)


def _run_dispatcher(world: World, words: Sequence[AlertWord], until: datetime) -> None:
    """Turn the real dispatcher's clock to every moment at which something happens."""
    waiting = list(words)
    while True:
        times = [*AlertGroup.all_orgs.values_list("next_flush_at", flat=True)]
        now = min([*times, *(word.at for word in waiting[:1])], default=until)
        if now >= until:
            return
        while waiting and waiting[0].at == now:
            alerts_receive(events=[_event(world, waiting.pop(0))])
        dispatch(now=now)
        for delivery_id, *_ in deliveries_due(now=now):
            deliveries_send(delivery_ids=[delivery_id], clock=lambda now=now: now)


def _event(world: World, word: AlertWord) -> AlertChanged:
    return AlertChanged(
        org_id=world.org.pk,
        fingerprint=word.fingerprint,
        status="resolved" if word.is_resolved else "firing",
        labels=word.labels,
        annotations={},
        starts_at=word.starts_at,
        ends_at=word.at if word.is_resolved else word.at + timedelta(days=30),
        rule_group=word.rule_group,
        rule="Down",
        value=1.0,
        is_transition=True,
    )


def _short(told: Told) -> tuple[datetime, str, str, list[str], list[str]]:
    return (told.at, *told.listener, sorted(told.firing), sorted(told.resolved))


def _fired(
    world: World, fingerprint: str, at: datetime, lasts: timedelta = timedelta(minutes=10)
) -> None:
    for moment, previous, state in (
        (at, AlertState.PENDING, AlertState.FIRING),
        (at + lasts, AlertState.FIRING, AlertState.RESOLVED),
    ):
        AlertEvent.objects.create_for(
            world.org,
            group_name="web",
            rule_name="Down",
            fingerprint=fingerprint,
            labels={"alertname": "Down", "host": fingerprint},
            previous=previous,
            state=state,
            value="1",
            at=moment,
        )


def _replay(world: World, text: str) -> Replay:
    return _replay_documents(world, load_documents(text) if text else [])


def _replay_documents(world: World, documents: Sequence[Any], **asked: Any) -> Replay:
    return routes_replay(
        org=world.org,
        actor=None,
        access=None,
        asked=ReplayAsked(since=START, until=START + LASTS, documents=documents, **asked),
    )
