"""Edges to Celery."""

from collections.abc import Sequence

from celery import shared_task

from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.dispatch import dispatch as dispatch_alerts
from apps.notifications.services.foreign_alerts import (
    foreign_alerts_expire,
    foreign_alerts_sweep,
)
from apps.notifications.services.handover import Handover, OnePass
from apps.notifications.services.inbox import DISPATCH
from apps.notifications.services.reminders import silences_remind
from apps.notifications.services.retention import history_trim
from apps.notifications.services.watchdogs import watchdogs_run
from detectviz.clock import utc_now
from detectviz.runtime.wakeups import wake_at


@shared_task
def dispatch() -> None:
    """Route, group, flush, and hand every due delivery to a worker."""
    _dispatch_once()


@shared_task
def deliver_together(delivery_ids: Sequence[int]) -> None:
    """Attempt deliveries of one receiver; what there was no time for is left to all workers."""
    left = deliveries_send(delivery_ids=delivery_ids, clock=utc_now)
    in_time = max(len(delivery_ids) - len(left), 1)
    for start in range(0, len(left), in_time):
        deliver_together.delay(left[start : start + in_time])


_hand_over = Handover(deliver_together.delay)


def _pass() -> None:
    foreign_alerts_expire(now=utc_now())
    report = dispatch_alerts(now=utc_now(), hand_over=lambda: _hand_over(now=utc_now()))
    _hand_over(now=utc_now())
    if report.next_flush_at is not None:
        wake_at(DISPATCH, report.next_flush_at)


_dispatch_once = OnePass(_pass)


@shared_task
def sweep() -> None:
    """Tidy up what other programs have sent."""
    foreign_alerts_sweep(now=utc_now())


@shared_task
def trim() -> None:
    """Drop what is past retention."""
    history_trim(now=utc_now())


@shared_task
def remind() -> None:
    """Tell who made a silence that it ends soon."""
    silences_remind(now=utc_now())


@shared_task
def watch() -> None:
    """Begin the rounds of watchdogs and look for their proofs."""
    watchdogs_run(now=utc_now())
