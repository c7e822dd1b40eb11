"""The Celery application. Beat's schedule is gathered from every app's ``schedule.py``."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from celery import Celery
from django.conf import settings

QUEUES = ("collect", "evaluate", "notify", "jobs")

app = Celery("detectviz")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@cache
def queues_of_tasks() -> dict[str, str]:
    """Return the queue of every task: those of the schedule, and each app's ``QUEUES``."""
    queues = {row["task"]: row["options"]["queue"] for row in gather_schedule().values()}
    for module in _schedule_modules():
        queues |= getattr(module, "QUEUES", {})
    return queues


def route_task(name: str, *args: Any, **kwargs: Any) -> dict[str, str] | None:
    """Answer Celery's question where a task goes."""
    queue = queues_of_tasks().get(name)
    return {"queue": queue} if queue else None


def gather_schedule() -> dict[str, dict[str, Any]]:
    """Return the periodic tasks of every installed app: ``SCHEDULE`` of its ``schedule.py``."""
    schedule: dict[str, dict[str, Any]] = {}
    for module in _schedule_modules():
        schedule |= module.SCHEDULE
    return schedule


def _schedule_modules() -> Iterator[Any]:
    for name in settings.INSTALLED_APPS:
        package = name.partition(".apps.")[0]
        if find_spec(f"{package}.schedule") is not None:
            yield import_module(f"{package}.schedule")
