"""The Celery application. Beat's schedule is gathered from every app's ``schedule.py``."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from celery import Celery
from django.conf import settings

QUEUES = ("collect", "evaluate", "notify", "jobs")

app = Celery("detectviz")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def gather_schedule() -> dict[str, dict[str, Any]]:
    """Return the periodic tasks of every installed app: ``SCHEDULE`` of its ``schedule.py``."""
    schedule: dict[str, dict[str, Any]] = {}
    for name in settings.INSTALLED_APPS:
        package = name.partition(".apps.")[0]
        if find_spec(f"{package}.schedule") is not None:
            schedule |= import_module(f"{package}.schedule").SCHEDULE
    return schedule
