"""Background work of alerting."""

from celery import shared_task

from apps.alerting.services.groups import groups_evaluate_due
from apps.alerting.services.retention import alert_history_prune
from detectviz.clock import utc_now
from detectviz.runtime.leases import process_owner


@shared_task(name="apps.alerting.tasks.tick", queue="evaluate")
def tick() -> None:
    """Evaluate the rule groups that are due."""
    groups_evaluate_due(owner=process_owner())


@shared_task(name="apps.alerting.tasks.prune", queue="jobs")
def prune() -> None:
    """Forget what happened long ago."""
    alert_history_prune(now=utc_now())
