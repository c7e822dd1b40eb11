"""The measured half of ``bench_rules``: prints its result as JSON."""

import json
import os
import sys
import time
from datetime import datetime, timedelta

import django

django.setup()

from apps.alerting.models import Alert  # noqa: E402 - after setup
from apps.alerting.services.groups import groups_evaluate_due  # noqa: E402 - after setup
from apps.alerting.services.rulegroups import (  # noqa: E402 - after setup
    RuleGroupDraft,
    rulegroup_write,
)
from apps.orgs.models import Org  # noqa: E402 - after setup
from apps.series.services import series_store  # noqa: E402 - after setup
from detectviz.clock import to_ms, utc_now  # noqa: E402 - after setup
from detectviz.promql.batches import batch_plan  # noqa: E402 - after setup
from detectviz.promql.engine import Engine  # noqa: E402 - after setup
from detectviz.tsdb.interface import Sample  # noqa: E402 - after setup
from tests.bench.rules_data import (  # noqa: E402 - after setup
    SLOT_S,
    expressions,
    samples_at,
)

RULES = int(os.environ["BENCH_RULES"])  # noqa: TID251 - handed on by the parent
PER_GROUP, CYCLES, FILLED = 1_000, 6, 20


def make_groups(org: Org, now: datetime) -> int:
    """Write the rules, at most 1,000 in a group; return how many groups."""
    texts = expressions(RULES)
    numbers = range(0, RULES, PER_GROUP)
    for number in numbers:
        rules = [
            {"alert": f"Rule{at}", "expr": text, "for": "1m"}
            for at, text in enumerate(texts[number : number + PER_GROUP])
        ]
        draft = RuleGroupDraft(name=f"g{number}", interval_ms=SLOT_S * 1000, rules=rules)
        rulegroup_write(org=org, draft=draft, instance=None, now=now)
    return len(numbers)


def put(org: Org, at_ms: int) -> None:
    """Store a sample of every series."""
    samples = [Sample(labels, at_ms, value) for labels, value in samples_at(RULES, at_ms)]
    series_store().append(org.uid, samples)


def measure() -> dict[str, float]:
    """Return CPU and wall seconds of the cheapest cycle, and of its queries alone."""
    org, now = Org.objects.create(name="bench"), utc_now()
    for back in range(FILLED, 0, -1):
        put(org, to_ms(now) - back * SLOT_S * 1000)
    groups = make_groups(org, now)
    cycles = []
    for _ in range(CYCLES):
        now += timedelta(seconds=SLOT_S)
        put(org, to_ms(now) - SLOT_S * 1000)
        wall, cpu = time.perf_counter(), time.process_time()
        done = groups_evaluate_due(owner="bench", clock=lambda now=now: now)
        cycles.append((time.process_time() - cpu, time.perf_counter() - wall))
        assert done >= groups, done
    cpu, wall = min(cycles)
    first, _ = cycles[0]
    firing = Alert.objects.for_org(org).filter(state="firing").count()
    query, single = queries_s(org, to_ms(now))
    return {
        "cpu": cpu,
        "wall": wall,
        "first": first,
        "firing": float(firing),
        "query": query,
        "single": single,
    }


def queries_s(org: Org, now_ms: int) -> tuple[float, float]:
    """Return CPU seconds of all queries as one batch, and one by one (scaled from a tenth)."""
    engine, texts = Engine(series_store()), expressions(RULES)
    plan = batch_plan(texts)
    engine.batch(org.uid, plan, now_ms)
    began = time.process_time()
    engine.batch(org.uid, plan, now_ms)
    fused = time.process_time() - began
    some = texts[::10]
    began = time.process_time()
    for text in some:
        engine.instant(org.uid, text, now_ms)
    return fused, (time.process_time() - began) * len(texts) / len(some)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()))
