"""Runs of pipelines: done once at a time, to the end, whoever is killed on the way."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.operations.enums import RunState, RunTrigger
from apps.operations.errors import NotResumableError, RunIsActiveError
from apps.operations.models import Pipeline, PipelineRun
from apps.operations.services.execution import run_execute
from apps.operations.services.outputs import RunOutputs, output_list, output_path
from apps.operations.services.runs import (
    run_cancel,
    run_claim,
    run_resume,
    run_start,
    run_store,
    runs_due,
    runs_trim,
)
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.contracts.errors import PluginError
from detectviz.resources.errors import NotFoundError
from detectviz.resources.registry import registry
from detectviz.resources.services import resource_delete
from tests.factories.orgs import make_org
from tests.factories.pipelines import write_pipeline, write_rows

pytestmark = pytest.mark.django_db(transaction=True)
SAMPLES = {"as": "metrics", "value_columns": ["value"], "label_columns": ["site"]}


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> None:
    settings.DATASOURCE_FILES_DIR = tmp_path / "files"
    settings.EXPORTS_DIR = tmp_path / "exports"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def start(pipeline: Pipeline) -> PipelineRun:
    return run_start(pipeline=pipeline, actor=None, trigger=RunTrigger.MANUAL, now=utc_now())


def finished(run: PipelineRun) -> PipelineRun:
    assert run_execute(run_id=run.pk, clock=utc_now)
    run.refresh_from_db()
    return run


def lines_of(run: PipelineRun, name: str = "rows.json") -> list[str]:
    path = output_path(tenant=run.org.uid, run=run.uid, name=name)
    return path.read_text(encoding="utf-8").splitlines()


def test_a_run_moves_every_record_and_counts_them(acme: Org) -> None:
    write_rows(acme, 95)
    run = finished(start(write_pipeline(acme)))

    assert (run.state, run.reason, run.percent) == (RunState.DONE, "", 100)
    assert (run.read, run.written, run.failed) == (95, 95, 0)
    assert [stage["name"] for stage in run.stages] == ["csv", "json"]
    assert len(lines_of(run)) == 95
    actions = list(AuditEvent.objects.filter(org=acme).values_list("action", flat=True))
    assert {"pipeline.run", "pipeline.end"} <= set(actions)


def test_wrong_records_are_named_and_the_others_written(acme: Org) -> None:
    write_rows(acme, 20, wrong=3)
    source = {"importer": "csv", "config": {"path": "rows.csv", **SAMPLES}}
    run = finished(start(write_pipeline(acme, source=source)))

    assert (run.state, run.written, run.failed) == (RunState.DONE, 17, 3)
    assert [error["place"] for error in run.errors] == ["row 1", "row 2", "row 3"]
    assert "no number" in run.errors[0]["message"]


def test_a_pipeline_runs_once_at_a_time(acme: Org) -> None:
    write_rows(acme, 1)
    pipeline = write_pipeline(acme)
    run = start(pipeline)
    with pytest.raises(RunIsActiveError, match="runs already"):
        start(pipeline)
    assert run_execute(run_id=run.pk, clock=utc_now)
    assert not run_execute(run_id=run.pk, clock=utc_now)
    start(pipeline)


def test_a_failed_run_goes_on_where_it_stopped(acme: Org) -> None:
    path = write_rows(acme, 40, wrong=0)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + 'broken,"\n', encoding="utf-8")
    pipeline = write_pipeline(acme)
    run = finished(start(pipeline))
    assert run.state == RunState.FAILED
    assert "cannot be read" in run.reason
    assert run.written == run.settled["written"] <= 40

    path.write_text(text + "40,web\n", encoding="utf-8")
    resumed = finished(run_resume(run=run, actor=None))

    assert (resumed.state, resumed.read, resumed.written) == (RunState.DONE, 41, 41)
    assert len(lines_of(resumed)) == 41
    with pytest.raises(NotResumableError, match="failed or was cancelled"):
        run_resume(run=resumed, actor=None)


def test_a_run_does_not_go_on_in_another_source(acme: Org) -> None:
    run = finished(start(write_pipeline(acme)))
    assert run.state == RunState.FAILED
    write_pipeline(acme, source={"importer": "csv", "config": {"path": "other.csv"}})
    run.pipeline.refresh_from_db()
    with pytest.raises(NotResumableError, match="source was changed"):
        run_resume(run=run, actor=None)


def test_a_run_that_waits_is_cancelled_at_once_and_can_go_on(acme: Org) -> None:
    write_rows(acme, 1)
    run = run_cancel(run=start(write_pipeline(acme)), actor=None, now=utc_now())
    assert run.state == RunState.CANCELLED
    assert not run_execute(run_id=run.pk, clock=utc_now)
    assert finished(run_resume(run=run, actor=None)).state == RunState.DONE


def test_who_works_on_a_run_hears_that_it_is_cancelled(acme: Org) -> None:
    run = start(write_pipeline(acme))
    mine = run_claim(run_id=run.pk, now=utc_now())
    assert mine is not None
    assert run_store(run=mine, values={"read": 1}, now=utc_now()) is False
    run_cancel(run=run, actor=None, now=utc_now())
    assert run_store(run=mine, values={"read": 2}, now=utc_now()) is True


def test_a_worker_that_was_slow_can_write_no_more(acme: Org) -> None:
    run, now = start(write_pipeline(acme)), utc_now()
    slow = run_claim(run_id=run.pk, now=now)
    assert slow is not None
    assert run_claim(run_id=run.pk, now=now) is None
    later = now + timedelta(seconds=31)
    assert runs_due(now=later) == [run.pk]
    assert runs_due(now=later) == []
    heir = run_claim(run_id=run.pk, now=later)
    assert heir is not None
    assert heir.epoch == slow.epoch + 1
    assert run_store(run=slow, values={"read": 9}, now=later) is None


def test_a_schedule_starts_runs_and_says_when_the_next_is(acme: Org) -> None:
    write_rows(acme, 1)
    pipeline = write_pipeline(acme, schedule="*/5 * * * *")
    assert pipeline.next_run_at is not None
    due = pipeline.next_run_at
    assert runs_due(now=due - timedelta(seconds=1)) == []
    assert len(runs_due(now=due)) == 1
    pipeline.refresh_from_db()
    assert pipeline.next_run_at == due + timedelta(minutes=5)
    assert runs_due(now=due + timedelta(minutes=5)) != []  # the first was not taken: sent again
    assert PipelineRun.objects.for_org(acme).count() == 1


def test_old_runs_go_with_their_files(acme: Org, settings: Any) -> None:
    settings.PIPELINE_RUNS_KEPT = 1
    write_rows(acme, 1)
    pipeline = write_pipeline(acme)
    old, new = finished(start(pipeline)), finished(start(pipeline))
    assert runs_trim() == 1
    assert output_list(tenant=acme.uid, run=old.uid) == []
    assert [each.name for each in output_list(tenant=acme.uid, run=new.uid)] == ["rows.json"]
    kind = registry.by_kind("plugins/v1", "Pipeline")
    assert kind is not None
    resource_delete(kind, org=acme, actor=None, name="rows")
    assert output_list(tenant=acme.uid, run=new.uid) == []


def test_files_are_written_once_for_each_batch_even_after_a_crash(acme: Org) -> None:
    first = RunOutputs(tenant=acme.uid, run="r")
    first.append("a.txt", b"one\n", batch_id="1")
    path = output_path(tenant=acme.uid, run="r", name="a.txt")
    path.write_bytes(path.read_bytes() + b"torn")
    again = RunOutputs(tenant=acme.uid, run="r")
    again.append("a.txt", b"one\n", batch_id="1")
    again.append("a.txt", b"two\n", batch_id="2")
    assert path.read_bytes() == b"one\ntwo\n"
    assert again.head("a.txt") == "one"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ".hidden", "a/b", "", "a\x00", "a" * 200])
def test_a_file_has_a_plain_name(acme: Org, name: str) -> None:
    with pytest.raises(PluginError, match="no name for a file"):
        RunOutputs(tenant=acme.uid, run="r").append(name, b"x", batch_id="1")
    with pytest.raises(NotFoundError):
        output_path(tenant=acme.uid, run="r", name=name)


def test_files_fill_no_more_than_the_org_may_have(acme: Org, settings: Any) -> None:
    settings.EXPORTS_MAX_BYTES = 10
    RunOutputs(tenant=acme.uid, run="a").append("x", b"123", batch_id="1")
    with pytest.raises(PluginError, match="DETECTVIZ_EXPORTS_MAX_BYTES"):
        RunOutputs(tenant=acme.uid, run="b").append("x", b"12345678", batch_id="1")


WORKER = """
import sys
import django
django.setup()
from datetime import timedelta
from django.core.management import call_command
from apps.operations.enums import RunTrigger
from apps.operations.models import PipelineRun
from apps.operations.services import execution, outputs, runs
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.orgs import make_org
from tests.factories.pipelines import write_pipeline, write_rows

if sys.argv[1] == "first":
    call_command("migrate", verbosity=0)
    org = make_org("acme")
    write_rows(org, 2000)
    pipeline = write_pipeline(org)
    runs.run_start(pipeline=pipeline, actor=None, trigger=RunTrigger.MANUAL, now=utc_now())
org = Org.objects.get(name="acme")
run = PipelineRun.objects.for_org(org).get()
late = timedelta(seconds=0 if sys.argv[1] == "first" else 60)
execution.STORED_EVERY = timedelta(0)
store = runs.run_store
def said(**more):
    found = store(**more)
    print("stored", more["values"]["cursor"].get("row", 0), flush=True)
    return found
execution.run_store = said
print("took", execution.run_execute(run_id=run.pk, clock=lambda: utc_now() + late), flush=True)
run.refresh_from_db()
path = outputs.output_path(tenant=org.uid, run=run.uid, name="rows.json")
lines = path.read_text().splitlines()
print("end", run.state, run.epoch, run.read, run.written, len(lines), len(set(lines)), flush=True)
"""


def worker(folder: Path, life: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    names = {"DETECTVIZ_DATA_DIR": str(folder), "DETECTVIZ_DATABASE_URL": "", "PYTHONPATH": "."}
    environment = {**os.environ, **names, "DJANGO_SETTINGS_MODULE": "detectviz.settings"}  # noqa: TID251 - the child needs the path
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, life],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_a_run_of_a_worker_killed_with_9_goes_on_at_its_cursor(tmp_path: Path) -> None:
    doomed = worker(tmp_path, "first")
    assert doomed.stdout is not None
    cursor = 0
    for line in doomed.stdout:
        words = line.split()
        cursor = int(words[1]) if words[0] == "stored" else cursor
        if cursor:
            break
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate()
    assert 0 < cursor < 2000

    heir = worker(tmp_path, "second")
    said = heir.communicate()[0].splitlines()

    assert said[-2:] == ["took True", "end done 2 2000 2000 2000 2000"]
    assert int(said[0].split()[1]) >= cursor  # it did not begin at the beginning
