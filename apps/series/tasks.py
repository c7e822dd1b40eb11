"""Background work on series."""

from celery import shared_task

from apps.series.services import exemplars_prune, refusals_prune, series_maintain
from detectviz.clock import utc_now


@shared_task
def maintain() -> None:
    """Compact the series store and apply retention."""
    series_maintain(now=utc_now())


@shared_task
def prune_exemplars() -> None:
    """Keep each org's exemplars within their bounds."""
    exemplars_prune(now=utc_now())


@shared_task
def prune_refusals() -> None:
    """Forget what was refused long ago."""
    refusals_prune(now=utc_now())
