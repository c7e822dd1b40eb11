"""The Celery application. Beat's schedule is gathered from every app's ``schedule.py``."""

from celery import Celery

app = Celery("detectviz")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
