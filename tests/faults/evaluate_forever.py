"""A process that evaluates rule groups until it is killed; run by the tests beside it."""

import os
import sys
import time

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "detectviz.settings"  # noqa: TID251 - Django reads it there
django.setup()

from apps.alerting.services.groups import groups_evaluate_due  # noqa: E402 - after setup
from apps.orgs.models import Org  # noqa: E402 - after setup
from apps.series.services import series_store  # noqa: E402 - after setup
from detectviz.clock import to_ms, utc_now  # noqa: E402 - after setup
from detectviz.tsdb.interface import Sample  # noqa: E402 - after setup

org = Org.objects.get(name="acme")
sys.stdout.write("ready\n")
sys.stdout.flush()
while True:
    sample = Sample({"__name__": "up", "instance": "a"}, to_ms(utc_now()), 0.0)
    series_store().append(org.uid, [sample])
    groups_evaluate_due(owner=f"process-{os.getpid()}")
    time.sleep(0.05)
