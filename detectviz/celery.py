"""The Celery application. Beat's schedule is gathered from every app's ``schedule.py``."""

import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from celery import Celery
from celery.signals import task_prerun
from django.conf import settings
from django.db import close_old_connections

QUEUES = ("collect", "evaluate", "notify", "jobs")

app = Celery("detectviz")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Celery closes what a task used; ours outlive it, as those of requests do, and are looked at before
# the next: to open one costs more than most tasks do (SQLite reads its schema anew).
app.conf.CELERY_DB_REUSE_MAX = sys.maxsize
# `up` has looked at the settings; Django's checks would load all pages into each worker.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")  # noqa: TID251 - where Celery looks for it


@task_prerun.connect
def connections_check(**_: Any) -> None:
    """Close what has failed or is too old, before a task finds it."""
    close_old_connections()


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
