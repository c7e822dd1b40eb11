"""Background work of alerting."""

from celery import shared_task

from apps.alerting.services.groups import groups_evaluate_due
from apps.alerting.services.lanes import datasource_groups_begin
from apps.alerting.services.retention import alert_history_prune
from detectviz.clock import utc_now
from detectviz.runtime.leases import process_owner


@shared_task
def tick() -> None:
    """Evaluate the rule groups that are due; begin with those that ask datasources."""
    owner = process_owner()
    datasource_groups_begin(owner=owner)
    groups_evaluate_due(owner=owner, asks_datasources=False)


@shared_task
def prune() -> None:
    """Forget what happened long ago."""
    alert_history_prune(now=utc_now())
