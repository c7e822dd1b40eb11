"""Background work on monitors."""

from celery import shared_task

from apps.monitors.services.collection import collection_wake
from apps.monitors.services.maintenance import windows_apply
from apps.monitors.services.retention import history_prune, uptime_prune
from detectviz.clock import utc_now


@shared_task
def collect() -> None:
    """Have due monitors claimed now."""
    collection_wake()


@shared_task
def prune() -> None:
    """Delete state history and uptime past their retention."""
    history_prune(now=utc_now())
    uptime_prune(now=utc_now())


@shared_task
def windows() -> None:
    """Begin and end maintenance windows that are due."""
    windows_apply(now=utc_now())
