"""Our dispatcher in virtual time, its webhooks recorded."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from apps.extensions.selectors import plugin_host_use
from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import AlertGroup, Delivery
from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.delivery_leases import deliveries_due
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.foreign_alerts import (
    foreign_alerts_accept,
    foreign_alerts_expire,
)
from apps.notifications.services.foreign_words import ForeignAlert
from apps.notifications.services.silences import SilenceDraft, silence_write
from apps.orgs.models import Org
from detectviz.contracts.config import get_int
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.pluginhost.host import HostOptions, PluginHost
from detectviz.resources.formats import documents_losses
from detectviz.resources.manifests import manifests_apply
from detectviz.testing.plugins import built_in_plugins
from plugins.notifiers.webhook.payload import build_body
from tests.conformance.alertmanager.script import SCENARIO, Hush, Say, Scenario, configuration
from tests.conformance.alertmanager.told import Told
from tests.factories.orgs import make_org

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_PORT = 9  # nothing is sent: the recorder stands where the webhook's plugin would


def run_ours(scenarios: Sequence[Scenario]) -> list[Told]:
    """Play every scenario in one org; return what was told."""
    with recorder() as player:
        document = configuration(scenarios, _PORT)
        assert [loss.path for loss in documents_losses([document])] == []
        manifests_apply(org=player.org, actor=None, access=None, documents=[document])
        moments: dict[float, list[tuple[str, Say | Hush]]] = defaultdict(list)
        for scenario in scenarios:
            for step in scenario.steps:
                moments[step.at_s].append((scenario.name, step))
        for at_s, steps in sorted(moments.items()):
            player.run_until(at_s)
            player.play(steps)
        player.run_until(max(scenario.until_s for scenario in scenarios))
        return player.told


@dataclass(slots=True)
class Player:
    """An org, the time, and what its webhooks were told."""

    org: Org
    now: datetime = BEGIN
    told: list[Told] = field(default_factory=list)

    def notify(self, notification: Notification, context: NotifierContext) -> Receipt:
        """Write down what the webhook would send."""
        body = build_body(notification, max_alerts=get_int(context.config, "max_alerts", 0))
        path = urlsplit(str(context.config["url"])).path
        at_s = (self.now - BEGIN).total_seconds()
        self.told.append(Told(at_s=at_s, path=path, body=json.loads(body)))
        return Receipt(status_code=200)

    def play(self, steps: Sequence[tuple[str, Say | Hush]]) -> None:
        """Take the steps of now: silences, then all alerts at once."""
        alerts: list[ForeignAlert] = []
        for scenario, step in steps:
            match step:
                case Say():
                    alerts.append(_alert(step, scenario))
                case Hush():
                    self._hush(step, scenario)
        taken = foreign_alerts_accept(
            org_id=self.org.pk, alerts=alerts, sender="conformance", now=self.now
        )
        assert taken.errors == []
        self._tick()

    def run_until(self, at_s: float) -> None:
        """Let time pass, stopping wherever something is due."""
        ends_at = BEGIN + timedelta(seconds=at_s)
        while (due := self._next_due()) is not None and due <= ends_at:
            self.now = due
            self._tick()
        self.now = ends_at

    def _hush(self, step: Hush, scenario: str) -> None:
        matchers = {SCENARIO: scenario, **step.matchers}
        draft = SilenceDraft(
            matcher_sets=[[f'{name}="{value}"' for name, value in matchers.items()]],
            starts_at=_moment(step.starts_s),
            ends_at=_moment(step.ends_s),
        )
        silence_write(
            org=self.org,
            name=f"{scenario}-{step.at_s:g}".replace(".", "-"),
            draft=draft,
            instance=None,
            actor=None,
            now=self.now,
        )

    def _tick(self) -> None:
        foreign_alerts_expire(now=self.now)
        dispatch(now=self.now)
        for delivery_id, *_ in deliveries_due(now=self.now):
            deliveries_send(delivery_ids=[delivery_id], clock=lambda: self.now)

    def _next_due(self) -> datetime | None:
        pending = Delivery.all_orgs.filter(status=DeliveryStatus.PENDING)
        times: list[Any] = [
            *AlertGroup.all_orgs.values_list("next_flush_at", flat=True),
            *pending.values_list("next_attempt_at", flat=True),
        ]
        return min((moment for moment in times if moment > self.now), default=None)


def _moment(at_s: float) -> datetime:
    return BEGIN + timedelta(seconds=at_s)


def _alert(step: Say, scenario: str) -> ForeignAlert:
    return ForeignAlert(
        labels={SCENARIO: scenario, **step.labels},
        annotations=step.annotations,
        starts_at=_moment(step.starts_s),
        ends_at=_moment(step.ends_s),
    )


@contextmanager
def recorder() -> Iterator[Player]:
    """Yield a player whose webhooks are written down instead of sent."""
    org = make_org("conformance")
    org_prepare(org_id=org.pk)
    player = Player(org)
    plugin_host_use(PluginHost(built_in_plugins().store, HostOptions(loader=lambda *_: player)))
    try:
        yield player
    finally:
        plugin_host_use(None)
