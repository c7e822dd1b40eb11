"""Edges to Celery."""

from celery import shared_task

from detectviz.clock import utc_now
from detectviz.events.services import outbox_trim


@shared_task
def trim() -> None:
    """Drop what is past retention."""
    outbox_trim(now=utc_now())
