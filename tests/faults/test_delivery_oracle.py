"""Nobody is left untold: a known set of alerts, processes killed at random, a receiver as oracle.

Alerts fire, end and fire again, posted as Alertmanager's and raised by rules on pushed samples.
Meanwhile processes are killed (-9) at seeded moments, Redis is emptied, PostgreSQL restarted.
The receiver writes down each notification with its ``webhook-id``: every word about every alert
arrives under one id, an id arrives once and at most once more for each thing that happened. So do
the steps of escalations, and the words for one that refuses: each is a dead letter once, and told
once to who stands in.

`DETECTVIZ_CHAOS_SEED` chooses the moments, `DETECTVIZ_CHAOS_PHASES` how often all alerts change:
3 are fire, end, fire again; 60 take a quarter of an hour or more.
"""

import json
import os
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil
import pytest
import redis

from detectviz.testing.databases import restartable_postgresql
from detectviz.testing.product import Product, embedded_product, running, standard_product, until
from detectviz.testing.receivers import Hook, webhook_receiver
from detectviz.testing.redis import redis_server

SEED = int(os.environ.get("DETECTVIZ_CHAOS_SEED", "5"))  # noqa: TID251 - read by tests only
PHASES = int(os.environ.get("DETECTVIZ_CHAOS_PHASES", "3"))  # noqa: TID251 - read by tests only
pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300 + 240 * PHASES),
]
POSTED = tuple(f"posted-{number}" for number in range(6))
RULED = tuple(f"ruled-{number}" for number in range(4))
ESCALATED = ("posted-4", "ruled-3")
UNREACHABLE = "posted-5"
STEPS = 2
SPREAD_S = 2.0  # the words of a phase are said within this, so that kills fall in between
TOLD_WITHIN_S = 240.0  # a lease of 45 s twice, and starts of processes on a busy machine
QUIET_S = 5.0  # two group intervals and more
SLOW_RECEIVER_S = 0.2  # long enough for kills to fall between a request and its answer
Disturbance = Callable[[], None]


@dataclass(slots=True)
class Receivers:
    """Who is told: of everything; by steps of an escalation; never, as it refuses; in its place."""

    everyone: Hook
    duty: Hook
    broken: Hook
    spare: Hook

    @property
    def all_ids(self) -> list[list[str]]:
        """The ids each of them was told under, in order."""
        return [one.ids for one in (self.everyone, self.duty, self.spare)]


def manifests(receivers: Receivers) -> str:
    points = "".join(
        f"""\
---
apiVersion: notifications/v1
kind: ContactPoint
metadata: {{name: {name}}}
spec: {{{fallback}receivers: [{{notifier: webhook, config: {{url: "{hook.url}"}}}}]}}
"""
        for name, hook, fallback in (
            ("everyone", receivers.everyone, ""),
            ("duty", receivers.duty, ""),
            ("spare", receivers.spare, ""),
            ("broken", receivers.broken, "fallback: spare, "),
        )
    )
    escalated = "|".join(ESCALATED)
    return f"""\
apiVersion: alerting/v1
kind: RuleGroup
metadata: {{name: oracle}}
spec:
  interval: 1s
  rules:
    - {{alert: Oracle, expr: oracle_level > 0, for: 0s}}
{points}---
apiVersion: notifications/v1
kind: EscalationPolicy
metadata: {{name: oracle}}
spec:
  steps:
    - {{targets: [{{contact_point: duty}}], wait: 1s}}
    - {{targets: [{{contact_point: duty}}], wait: 1s}}
---
apiVersion: notifications/v1
kind: RoutingTree
metadata: {{name: default}}
spec:
  contact_point: ""
  group_by: [alertname, item]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 4h
  routes:
    - {{matchers: ['item=~"{escalated}"'], contact_point: everyone, escalation: oracle}}
    - {{matchers: ['item="{UNREACHABLE}"'], contact_point: broken}}
    - {{matchers: ['alertname="Oracle"'], contact_point: everyone}}
"""


@dataclass(slots=True)
class Generator:
    """Says of every alert that it fires or is over, until each word is accepted."""

    product: Product
    dice: random.Random
    began: dict[str, str] = field(default_factory=dict)
    problem: BaseException | None = None

    def say_all(self, word: str) -> None:
        """Say it of all, in random order; ``problem`` is set where that failed."""
        items = [*POSTED, *RULED]
        self.dice.shuffle(items)
        try:
            for item in items:
                time.sleep(SPREAD_S / len(items))
                self._say(item, word)
        except BaseException as problem:  # noqa: BLE001 - told by the test's own thread
            self.problem = problem

    def _say(self, item: str, word: str) -> None:
        if item in RULED:
            text = f'oracle_level{{item="{item}"}} {int(word == "firing")}\n'
            path = "/orgs/default/prometheus/api/v1/import/prometheus"
            until(lambda: self._post(path, text), f"{item} is pushed", timeout_s=TOLD_WITHIN_S)
            return
        now = datetime.now(UTC).isoformat()
        alert = {"labels": {"alertname": "Oracle", "item": item}}
        if word == "firing":
            self.began[item] = now
        times = {"startsAt": self.began[item]} | ({"endsAt": now} if word == "resolved" else {})
        path = "/orgs/default/alertmanager/api/v2/alerts"
        text = json.dumps([alert | times])
        until(lambda: self._post(path, text), f"{item} is posted", timeout_s=TOLD_WITHIN_S)

    def _post(self, path: str, text: str) -> bool:
        """Say whether it was accepted; a refusal that no repetition helps fails the test."""
        connection = HTTPConnection("127.0.0.1", self.product.port, timeout=10)
        kind = "application/json" if text.startswith("[") else "text/plain"
        headers = {"Authorization": f"Bearer {self.product.key}", "Content-Type": kind}
        try:
            connection.request("POST", path, text, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        assert response.status < 400 or response.status in {429, 500, 502, 503}, answer
        return response.status < 300


@dataclass(slots=True)
class Oracle:
    """What should have been heard, and what was."""

    receivers: Receivers
    words: list[str] = field(default_factory=list)
    disturbances: int = 0

    def heard(self) -> dict[str, dict[str, str]]:
        """Return the words about each item by the id they came under, in order of arrival.

        The one that can't be told is heard of by who stands in.
        """
        found: dict[str, dict[str, str]] = {item: {} for item in (*POSTED, *RULED)}
        for hook in (self.receivers.everyone, self.receivers.spare):
            for item, told in words_of(hook).items():
                assert (item == UNREACHABLE) == (hook is self.receivers.spare)
                found[item] |= told
        return found

    def steps(self) -> dict[str, int]:
        """Return under how many ids an escalation told of each item."""
        told = words_of(self.receivers.duty)
        return {item: len(told.get(item, ())) for item in ESCALATED}

    def is_content(self) -> bool:
        """Say whether every word about every item was heard, and every step gone."""
        has_all = all(len(words) >= len(self.words) for words in self.heard().values())
        return has_all and min(self.steps().values()) >= self._steps_wanted

    @property
    def _steps_wanted(self) -> int:
        return STEPS * self.words.count("firing")

    def assert_told_once(self) -> None:
        """Check that each word came under one id, and how often the ids came."""
        for item, words in self.heard().items():
            assert list(words.values()) == self.words, item
        assert set(self.steps().values()) == {self._steps_wanted}
        for ids in self.receivers.all_ids:
            most = max(Counter(ids).values())
            assert most - 1 <= self.disturbances
            assert len(ids) - len(set(ids)) <= self.disturbances * 10


def words_of(hook: Hook) -> dict[str, dict[str, str]]:
    """Return what a receiver heard of each item: the word of each id, the first to come first."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for headers, body in list(hook.calls):
        found[body["groupLabels"]["item"]].setdefault(headers["webhook-id"], body["status"])
    return found


def assert_dead_letters(product: Product, oracle: Oracle) -> None:
    """Check that what nobody took is written down: once for each word."""
    path = "/apis/notifications/v1/orgs/default/deliveries?field_selector=status=failed&limit=500"
    dead = [one["status"] for one in product.get(path)["items"]]
    assert {one["status"] for one in dead} == {"failed"}
    assert len(dead) == len(oracle.words)


def children(product: Product) -> list[psutil.Process]:
    """Return the processes of all supervisors."""
    supervisors = [psutil.Process(one.pid) for one in product.processes.values()]
    found = [child for one in supervisors for child in one.children()]
    return [child for child in found if child.name().startswith("dv:")]


@dataclass(slots=True)
class Chaos:
    """What happens to a product, one thing after another in random order."""

    product: Product
    dice: random.Random

    def bag(self, kills: int, *others: Disturbance) -> list[Disturbance]:
        """Return what is to happen in one phase."""
        chosen: list[Disturbance] = [*[self.kill_one] * kills, *others]
        self.dice.shuffle(chosen)
        return chosen

    def kill_one(self) -> None:
        """Kill any process but the supervisors."""
        if victims := sorted(children(self.product), key=lambda child: (child.name(), child.pid)):
            self.product.kill(self.dice.choice(victims).pid)


def phases() -> list[str]:
    return [("firing", "resolved")[number % 2] for number in range(PHASES)]


def state_of(product: Product, oracle: Oracle) -> str:
    """Say who was not told what, and what the product knows of it."""
    short = {item for item, words in oracle.heard().items() if len(words) < len(oracle.words)}
    alerts = product.get("/apis/alerting/v1/orgs/default/alerts")["items"]
    known = {one["labels"].get("item"): one["state"] for one in alerts}
    deliveries = product.get("/apis/notifications/v1/orgs/default/deliveries")["items"]
    waiting = [one["status"] for one in deliveries if one["status"]["status"] != "delivered"]
    return f"missing {sorted(short)}; alerts {known}; not delivered {waiting}"


def play(oracle: Oracle, generator: Generator, word: str, bag: Sequence[Disturbance]) -> None:
    """Say a word of all while things happen, and wait until all of it is heard."""
    oracle.words.append(word)
    speaking = threading.Thread(target=generator.say_all, args=(word,))
    speaking.start()
    for happens in bag:
        time.sleep(generator.dice.uniform(0.2, 2 * SPREAD_S / len(bag)))
        oracle.disturbances += 1
        happens()
    speaking.join()
    if generator.problem is not None:
        raise generator.problem
    try:
        until(oracle.is_content, f"all heard {oracle.words}", timeout_s=TOLD_WITHIN_S)
    except AssertionError as problem:
        raise AssertionError(f"{problem}: {state_of(generator.product, oracle)}") from None


def begin(product: Product, receivers: Receivers) -> tuple[Oracle, Generator]:
    product.cli("apply", "-f", "-", stdin=manifests(receivers))
    assert product.key
    receivers.everyone.delay_s = receivers.duty.delay_s = SLOW_RECEIVER_S
    receivers.broken.status = 404
    return Oracle(receivers), Generator(product, random.Random(SEED))


def end(product: Product, oracle: Oracle) -> None:
    """Wait for words too many, then look at everything."""
    time.sleep(QUIET_S)
    oracle.assert_told_once()
    assert_dead_letters(product, oracle)


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with ExitStack() as stack:
        yield Receivers(*(stack.enter_context(webhook_receiver()) for _ in range(4)))


def test_every_word_is_heard_while_processes_of_the_embedded_size_are_killed(
    tmp_path: Path, receivers: Receivers
) -> None:
    dice = random.Random(SEED)
    with ExitStack() as life, embedded_product(tmp_path) as product:
        oracle, generator = begin(product, receivers)
        chaos = Chaos(product, dice)

        def kill_everything() -> None:
            everyone = [product.processes["all"].pid, *(one.pid for one in children(product))]
            for pid in everyone:
                product.kill(pid)
            product.processes["all"].wait()
            life.enter_context(running(product, "all"))

        for number, word in enumerate(phases()):
            bag = [kill_everything] if number % 3 == 1 else chaos.bag(2)
            play(oracle, generator, word, bag)
        end(product, oracle)


@pytest.mark.services("postgres", "redis-server")
def test_every_word_is_heard_while_the_standard_size_and_its_servers_fail(
    tmp_path: Path, receivers: Receivers
) -> None:
    dice = random.Random(SEED)
    with (
        restartable_postgresql() as database,
        redis_server() as redis_url,
        standard_product(
            tmp_path, database_url=database.url, redis_url=redis_url, together=True
        ) as product,
    ):
        oracle, generator = begin(product, receivers)

        def forget() -> None:
            with redis.Redis.from_url(redis_url) as client:
                client.flushall()

        happenings: tuple[Disturbance, ...] = (
            database.restart,
            lambda: database.restart(is_immediate=True),
            forget,
        )
        chaos = Chaos(product, dice)
        for number, word in enumerate(phases()):
            play(oracle, generator, word, chaos.bag(1, happenings[number % len(happenings)]))
        end(product, oracle)
