"""Background work of alerting."""

from celery import shared_task

from apps.alerting.services.groups import groups_evaluate_due
from apps.alerting.services.retention import alert_history_prune
from detectviz.clock import utc_now
from detectviz.runtime.leases import process_owner


@shared_task
def tick() -> None:
    """Evaluate the rule groups that are due."""
    groups_evaluate_due(owner=process_owner())


@shared_task
def prune() -> None:
    """Forget what happened long ago."""
    alert_history_prune(now=utc_now())
