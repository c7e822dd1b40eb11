"""Background work of on-call duty."""

from celery import shared_task

from apps.oncall.services.chat import seen_prune
from apps.oncall.services.escalations import escalations_tick
from apps.oncall.services.incidents import incidents_gather
from detectviz.clock import utc_now


@shared_task
def escalate() -> None:
    """Go on with the escalations that are due."""
    escalations_tick(now=utc_now())


@shared_task
def prune() -> None:
    """Forget callbacks that cannot come again."""
    seen_prune(now=utc_now())


@shared_task
def gather() -> None:
    """Have what fires join open incidents."""
    incidents_gather(now=utc_now())
