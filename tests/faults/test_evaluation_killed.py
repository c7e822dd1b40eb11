"""Kill -9 of the process that evaluates rules, again and again, while an alert is pending."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("evaluate_forever.py")
FOR_S = 4
DEADLINE_S = 100

SET_UP = f"""
from apps.orgs.models import Org
from apps.alerting.services.rulegroups import RuleGroupDraft, rulegroup_write
from detectviz.clock import utc_now
org = Org.objects.create(name="acme")
rules = [{{"alert": "Down", "expr": "up == 0", "for": "{FOR_S}s"}}]
draft = RuleGroupDraft(name="web", interval_ms=1000, rules=rules)
rulegroup_write(org=org, draft=draft, instance=None, now=utc_now())
"""
LOOK = """
import json
from apps.alerting.models import Alert, AlertEvent
rows = AlertEvent.objects.across_orgs(reason="test").order_by("id")
events = [[row.previous, row.state, row.at.timestamp()] for row in rows]
alerts = [[row.state, row.active_at.timestamp()] for row in Alert.objects.across_orgs(reason="x")]
print(json.dumps({"events": events, "alerts": alerts}))
"""


def environment(data_dir: Path) -> dict[str, str]:
    inherited = os.environ.items()  # noqa: TID251 - for the processes this test starts
    kept = {key: text for key, text in inherited if not key.startswith("DETECTVIZ_")}
    return {**kept, "DETECTVIZ_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT)}


def manage(data_dir: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment(data_dir),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def worker(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(WORKER)],
        env=environment(data_dir),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.faults
@pytest.mark.timeout(240)
def test_an_alert_fires_exactly_once_however_often_its_evaluator_is_killed(tmp_path: Path) -> None:
    manage(tmp_path, "migrate", "-v", "0")
    manage(tmp_path, "shell", "-v", "0", "-c", SET_UP)
    for number in range(3):
        with worker(tmp_path):
            time.sleep(1.3 + 0.37 * number)
    until = time.monotonic() + DEADLINE_S
    with worker(tmp_path), worker(tmp_path):
        while time.monotonic() < until:
            found = json.loads(manage(tmp_path, "shell", "-v", "0", "-c", LOOK))
            if len(found["events"]) > 1:
                break
    pending, firing = found["events"]
    assert pending[:2] == ["inactive", "pending"]
    assert firing[:2] == ["pending", "firing"]
    assert firing[2] - pending[2] >= FOR_S
    ((state, active_at),) = found["alerts"]
    assert state == "firing"
    assert active_at >= pending[2]  # the clock of `for` waited while nobody evaluated
    assert firing[2] - active_at >= FOR_S
