"""Background work of alerting."""

from celery import shared_task

from apps.alerting.services.groups import groups_evaluate_due
from detectviz.runtime.leases import process_owner


@shared_task(queue="evaluate")
def tick() -> None:
    """Evaluate the rule groups that are due."""
    groups_evaluate_due(owner=process_owner())
