"""The main job by REST and `apply` alone: watched, down, told once, back, told once."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectviz.testing.databases import postgresql_server
from detectviz.testing.product import Product, bare_product, standard_product, until
from detectviz.testing.receivers import Hook, Mailbox, mail_server, web_target, webhook_receiver
from detectviz.testing.redis import redis_server
from tests.e2e.manifests import story

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MONITOR = "/apis/monitoring/v1/orgs/default/monitors/home"
ALERTS = "/apis/alerting/v1/orgs/default/alerts"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook_receiver() as hook:
        yield hook


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


def tell_the_story(product: Product, hook: Hook, mailbox: Mailbox) -> None:
    with web_target() as target:
        product.cli("apply", "-f", "-", stdin=story(target.url, hook.url))
        until(lambda: product.get(MONITOR)["status"].get("state") == "up", "the monitor is up")

        target.stop()
        until(lambda: "pending" in states(product), "the alert is pending")
        until(lambda: "firing" in states(product), "the alert fires")
        until(lambda: hook.words and mailbox.subjects, "somebody is told")

        target.start()
        until(lambda: len(hook.words) > 1 and len(mailbox.subjects) > 1, "the end is told")
        time.sleep(6)  # three group intervals in which nothing more may come

    assert hook.words == [("firing", "HomeDown"), ("resolved", "HomeDown")]
    assert [subject.split("]")[0] for subject in mailbox.subjects] == ["[FIRING:1", "[RESOLVED"]
    assert len(set(hook.ids)) == 2
    headers, body = hook.calls[0]
    assert body["version"] == "4"
    assert body["alerts"][0]["annotations"]["summary"] == "home is down"
    assert body["detectviz"]["org"] == "default"
    assert body["detectviz"]["delivery_id"] == headers["webhook-id"]


def states(product: Product) -> list[str]:
    items = product.get(ALERTS)["items"]
    return [item["state"] for item in items if item["labels"]["alertname"] == "HomeDown"]


def test_the_story_on_a_bare_machine(tmp_path: Path, hook: Hook, mailbox: Mailbox) -> None:
    with bare_product(tmp_path, DETECTVIZ_SMTP_PORT=str(mailbox.port)) as product:
        tell_the_story(product, hook, mailbox)


@pytest.mark.services("postgres", "redis-server")
def test_the_story_on_postgresql_and_redis_with_two_workers(
    tmp_path: Path, hook: Hook, mailbox: Mailbox
) -> None:
    with (
        postgresql_server() as database_url,
        redis_server() as redis_url,
        standard_product(
            tmp_path,
            database_url=database_url,
            redis_url=redis_url,
            DETECTVIZ_SMTP_PORT=str(mailbox.port),
        ) as product,
    ):
        tell_the_story(product, hook, mailbox)
