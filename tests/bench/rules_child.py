"""The measured half of ``bench_rules``: prints its result as JSON."""

import json
import sys
import time
from datetime import datetime, timedelta

import django

django.setup()

from apps.alerting.services.groups import groups_evaluate_due  # noqa: E402 - after setup
from apps.alerting.services.rulegroups import (  # noqa: E402 - after setup
    RuleGroupDraft,
    rulegroup_write,
)
from apps.orgs.models import Org  # noqa: E402 - after setup
from apps.series.services import series_store  # noqa: E402 - after setup
from detectviz.clock import to_ms, utc_now  # noqa: E402 - after setup
from detectviz.tsdb.interface import Sample  # noqa: E402 - after setup

RULES, GROUPS, FIRING, SLOTS = 1_000, 10, 10, 4
SLOT_S = 15


def make_groups(org: Org, now: datetime) -> None:
    """Write the rules, an instance each."""
    for number in range(GROUPS):
        rules = [
            {"alert": "Down", "expr": f'up{{instance="i{n}"}} == 0', "for": "1m"}
            for n in range(number, RULES, GROUPS)
        ]
        draft = RuleGroupDraft(name=f"g{number}", interval_ms=SLOT_S * 1000, rules=rules)
        rulegroup_write(org=org, draft=draft, instance=None, now=now)


def measure() -> dict[str, float]:
    """Return CPU and wall seconds of the cheapest cycle."""
    org, now = Org.objects.create(name="bench"), utc_now()
    make_groups(org, now)
    cycles = []
    for _ in range(SLOTS):
        now += timedelta(seconds=SLOT_S)
        at_ms = to_ms(now) - SLOT_S * 1000 + 1
        series_store().append(
            org.uid,
            [
                Sample({"__name__": "up", "instance": f"i{n}"}, at_ms, float(n >= FIRING))
                for n in range(RULES)
            ],
        )
        wall, cpu = time.perf_counter(), time.process_time()
        done = groups_evaluate_due(owner="bench", clock=lambda now=now: now)
        cycles.append((time.process_time() - cpu, time.perf_counter() - wall))
        assert done >= GROUPS, done
    cpu, wall = min(cycles)
    return {"cpu": cpu, "wall": wall}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()))
