"""Tasks, the connections they use, and what a worker loads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery.fixups.django import DjangoWorkerFixup  # type: ignore[attr-defined]  # not in stubs
from celery.signals import task_prerun
from django.db import connection

from detectviz.celery import app


@pytest.mark.django_db(transaction=True)
def test_a_connection_outlives_its_task() -> None:
    connection.ensure_connection()
    ours = connection.connection

    DjangoWorkerFixup(app).close_database()
    task_prerun.send(sender=None)

    assert connection.connection is ours


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_failed_is_another_ones_at_the_next_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.ensure_connection()
    failed = connection.connection
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    connection.errors_occurred = True

    task_prerun.send(sender=None)
    connection.ensure_connection()

    assert connection.connection is not failed


def test_a_worker_loads_neither_pages_nor_the_client_of_a_redis_it_has_not(tmp_path: Path) -> None:
    script = """
import sys, django
django.setup()
from celery.fixups.django import DjangoWorkerFixup
from detectviz.celery import app
DjangoWorkerFixup(app).validate_models()
print(*sorted({"detectviz.urls", "redis"} & set(sys.modules)))
"""
    given = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - the test's own
        "DJANGO_SETTINGS_MODULE": "detectviz.settings",
        "DETECTVIZ_DATA_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=given, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ""
