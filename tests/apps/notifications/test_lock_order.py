"""Everybody who writes about alerts at once on PostgreSQL: no deadlock, and one order of locks."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from psycopg.errors import DeadlockDetected
from pytest_django import DjangoDbBlocker

from apps.alerting.models import Alert, RuleGroup
from apps.alerting.selectors import alert_queryset
from apps.alerting.services.groups import groups_evaluate_due
from apps.alerting.services.handling import Actor, alerts_close, alerts_snooze, subject_of
from apps.notifications.models import Silence
from apps.notifications.selectors import routing_tree_get
from apps.notifications.services.configuration import routing_tree_write
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.delivery_leases import deliveries_due
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.foreign_alerts import (
    foreign_alerts_accept,
    foreign_alerts_expire,
    foreign_alerts_sweep,
)
from apps.notifications.services.foreign_words import ForeignAlert
from apps.notifications.services.prompt import org_refresh
from apps.notifications.services.silences import SilenceDraft, silence_write
from apps.oncall.models import EscalationPolicy
from apps.oncall.services.escalations import escalations_tick
from apps.series.services import series_store_use
from detectviz.contracts.errors import DeliveryError
from detectviz.promql.memory_store import MemoryStore
from detectviz.testing.databases import default_database, tables_clear
from tests.factories.alerting import change_rulegroup, make_rulegroup, put
from tests.factories.dispatch import World, world_made

# What is locked later stands further down; see "One order of locks" in docs/adr/0035.
ORDER = (
    ("alerting_rulegroup",),
    ("alerting_rule",),
    ("alerting_alerthandling",),
    ("notifications_routingtree",),
    ("notifications_routedalert",),
    ("notifications_alertgroup",),
    ("oncall_escalationrun",),
    ("oncall_escalationnotice",),
    ("notifications_delivery", "notifications_notificationrecord"),
    ("notifications_suppressionentry",),
    ("alerting_alert",),
)
RANKS = {table: rank for rank, tables in enumerate(ORDER) for table in tables}
# Rows that are locked already when they are written: by these statements nobody begins to wait.
GUARDED = (
    *(
        f'DELETE FROM "{table}"'
        for table in ("alerting_rule", "alerting_rulegroup", "notifications_alertgroup")
    ),
    *(f'UPDATE "{table}"' for table in ("oncall_escalationrun", "oncall_escalationnotice")),
)
ITEMS = tuple(f"i{number}" for number in range(8))
LASTS_S = 4.0
LONGEST_S = 30.0  # a busy machine takes longer until everything has happened
PAUSE_S = 0.002  # after each lock, so that others come in between
RULES = ({"alert": "Down", "expr": "up == 0", "for": "0s"},)


def locked_table(sql: str) -> str:
    """Return the table whose rows a statement locks, if it does."""
    words = sql.replace("(", " ").split()
    if words[0] == "SELECT" and "FOR UPDATE" in sql:
        return words[words.index("FROM") + 1].strip('"')
    place = {"INSERT": 2, "DELETE": 2, "UPDATE": 1}.get(words[0], 0)
    return words[place].strip('"') if place else ""


@dataclass
class Observer:
    """Looks at each statement of a thread, and waits a little where it locked something."""

    problems: list[str] = field(default_factory=list)
    acts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    locked: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def begin(self) -> None:
        self.locked[threading.get_ident()] = []

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: Any, context: Any
    ) -> Any:
        try:
            return execute(sql, params, many, context)
        except Exception as error:
            if isinstance(error.__cause__, DeadlockDetected):
                self.problems.append(f"deadlock in {threading.current_thread().name}: {sql[:120]}")
            raise
        finally:
            table = locked_table(sql)
            if table and connection.in_atomic_block and not sql.startswith(GUARDED):
                self._note(table)
                time.sleep(PAUSE_S)

    def _note(self, table: str) -> None:
        before = self.locked[threading.get_ident()]
        later = [one for one in before if RANKS.get(table, 99) < RANKS.get(one, -1)]
        if later:
            way = " → ".join(dict.fromkeys([*before, table]))
            self.problems.append(f"out of order in {threading.current_thread().name}: {way}")
        before.append(table)


@dataclass
class Everybody:
    """What happens to alerts in a deployment, each as one act."""

    world: World
    store: MemoryStore
    group: RuleGroup
    dice: random.Random
    began_at: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """Return a time that runs ten times as fast as ours."""
        passed_s = (time.monotonic() - self.began_at) * 10
        return self.world.now + timedelta(seconds=passed_s)

    def evaluate(self) -> None:
        now = self.now()
        for item in ITEMS:
            put(self.store, self.world.org, now, self.dice.choice((0, 0, 1)), instance=item)
        groups_evaluate_due(owner=threading.current_thread().name, clock=lambda: now, most=1)

    def edit_rules(self) -> None:
        rules = [dict(rule, labels={"edit": self.dice.choice("ab")}) for rule in RULES]
        change_rulegroup(self.group, now=self.now(), rules=rules)
        time.sleep(0.1)

    def post(self) -> None:
        now = self.now()
        alerts = [
            ForeignAlert(
                labels={"alertname": "Down", "instance": item},
                annotations={},
                starts_at=now,
                ends_at=now + timedelta(seconds=self.dice.choice((0, 1, 60))),
            )
            for item in self.dice.sample(ITEMS, len(ITEMS))
        ]
        foreign_alerts_accept(org_id=self.world.org.pk, alerts=alerts, sender="test", now=now)

    def expire(self) -> None:
        foreign_alerts_expire(now=self.now())
        foreign_alerts_sweep(now=self.now())

    def dispatch(self) -> None:
        dispatch(now=self.now())

    def deliver(self) -> None:
        for delivery_id, *_ in deliveries_due(now=self.now()):
            if not self.dice.randrange(3):
                away = DeliveryError(
                    "away", reason="clientError", permanent=self.dice.random() < 0.5
                )
                self.world.receiver.failures = [away]
            deliveries_send(delivery_ids=[delivery_id], clock=self.now)

    def handle(self) -> None:
        rows = list(alert_queryset(self.world.org).select_related("rule__group"))
        self.dice.shuffle(rows)
        actor, now = Actor(name="anna"), self.now()
        alerts = [subject_of(row) for row in rows]
        alerts_snooze(
            org=self.world.org,
            actor=actor,
            alerts=alerts,
            now=now,
            until=now + timedelta(seconds=self.dice.choice((1, 30))),
        )
        alerts_close(org=self.world.org, actor=actor, alerts=alerts[:4], now=now)

    def silence(self) -> None:
        now = self.now()
        item = self.dice.choice(ITEMS)
        draft = SilenceDraft(
            matcher_sets=[[f'instance="{item}"']],
            starts_at=now,
            ends_at=now + timedelta(seconds=5),
        )
        name = f"quiet-{item}"
        known = Silence.objects.for_org(self.world.org).filter(name=name).first()
        silence_write(
            org=self.world.org, name=name, draft=draft, instance=known, actor=None, now=now
        )
        org_refresh(org_id=self.world.org.pk, now=now)

    def edit_routes(self) -> None:
        tree = routing_tree_get(org=self.world.org)
        assert tree is not None
        wait = self.dice.choice(("1s", "2s"))
        root = {**tree.root, "group_wait": wait}
        routing_tree_write(org=self.world.org, name="default", root=root, instance=tree)
        time.sleep(0.2)

    def escalate(self) -> None:
        escalations_tick(now=self.now())


@pytest.fixture
def everybody(
    postgresql_url: str, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Everybody]:
    store = MemoryStore()
    series_store_use(store)
    with django_db_blocker.unblock(), default_database(postgresql_url):
        with world_made(monkeypatch) as world:
            yield make_everybody(world, store)
        tables_clear()
    series_store_use(None)


def make_everybody(world: World, store: MemoryStore) -> Everybody:
    """Give every alert two groups, one with an escalation, and a fallback."""
    world.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    EscalationPolicy.objects.for_org(world.org).create(
        org=world.org,
        name="duty",
        steps=[{"targets": [{"contact_point": "ops"}], "wait": "1s"}],
        repeat=5,
    )
    tree = routing_tree_get(org=world.org)
    assert tree is not None
    times = {"group_wait": "1s", "group_interval": "2s", "repeat_interval": "10s"}
    routes = [
        {"contact_point": "ops", "group_by": ["alertname"], "continue": True},
        {"contact_point": "ops", "group_by": ["instance"], "escalation": "duty"},
    ]
    root = {**tree.root, **times, "routes": routes}
    routing_tree_write(org=world.org, name="default", root=root, instance=tree)
    group = make_rulegroup(world.org, rules=RULES, interval_s=1, now=world.now)
    return Everybody(world, store, group, random.Random(7))


@pytest.mark.timeout(300)
@pytest.mark.postgres
@pytest.mark.services("initdb", "postgres")
def test_nobody_waits_for_who_waits_for_him(
    everybody: Everybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer()
    wrapper = type(connections["default"])
    original = wrapper.set_autocommit

    def set_autocommit(self: Any, autocommit: bool, *args: Any, **options: Any) -> None:
        observer.begin()
        original(self, autocommit, *args, **options)

    monkeypatch.setattr(wrapper, "set_autocommit", set_autocommit)
    acts: list[Callable[[], None]] = [
        everybody.evaluate,
        everybody.edit_rules,
        everybody.post,
        everybody.post,
        everybody.expire,
        everybody.dispatch,
        everybody.dispatch,
        everybody.deliver,
        everybody.deliver,
        everybody.handle,
        everybody.silence,
        everybody.edit_routes,
        everybody.escalate,
    ]
    names = {act.__name__ for act in acts}
    began_at = time.monotonic()

    def goes_on() -> bool:
        passed_s = time.monotonic() - began_at
        has_all = len(observer.acts) == len(names) and min(observer.acts.values()) > 1
        is_enough = has_all and everybody.world.receiver.told and passed_s > LASTS_S
        return not observer.problems and not is_enough and passed_s < LONGEST_S

    def repeat(act: Callable[[], None]) -> None:
        try:
            with connection.execute_wrapper(observer):
                while goes_on():
                    act()
                    observer.acts[act.__name__] += 1
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            observer.problems.append(f"{act.__name__}: {error!r}")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=repeat, args=(act,), name=act.__name__) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not observer.problems, "\n".join(observer.problems[:10])
    assert min(observer.acts.values()) > 1, dict(observer.acts)
    assert observer.acts.keys() == names
    assert Alert.objects.for_org(everybody.world.org).exists()
    assert everybody.world.receiver.told
