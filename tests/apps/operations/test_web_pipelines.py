"""Pages and doors of pipelines."""

import re
from pathlib import Path
from typing import Any

import pytest

from apps.operations.enums import RunTrigger
from apps.operations.models import Pipeline, PipelineRun
from apps.operations.services.execution import run_execute
from apps.operations.services.runs import run_start
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser
from tests.factories.pipelines import SPEC, write_pipeline, write_rows

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = "/o/acme/pipelines"
API = "/apis/plugins/v1/orgs/acme/pipelines"
NEW = f"{PAGES}/new/form?importer=csv&processor=metric&exporter=json"
MARK = re.compile(r'name="stage" value="([^"]+)"')  # noqa: TID251 - a constant pattern of ours


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> None:
    settings.DATASOURCE_FILES_DIR = tmp_path / "files"
    settings.EXPORTS_DIR = tmp_path / "exports"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def done(pipeline: Pipeline) -> PipelineRun:
    run = run_start(pipeline=pipeline, actor=None, trigger=RunTrigger.MANUAL, now=utc_now())
    run_execute(run_id=run.pk, clock=utc_now)
    run.refresh_from_db()
    return run


def test_a_pipeline_is_made_with_the_forms_of_its_plugins(acme: Org) -> None:
    admin = make_browser(acme, "admin")
    assert "No pipeline yet" in admin.get(PAGES).content.decode()
    assert "CSV file" in admin.get(f"{PAGES}/new").content.decode()
    html = admin.get(NEW).content.decode()
    assert "Read with CSV file" in html

    wrong = admin.post(NEW, {"name": "rows", "source/path": "", "schedule": "often"})
    assert wrong.status_code == 422
    assert "no cron expression" in wrong.content.decode() or "Path" in wrong.content.decode()

    saved = admin.post(NEW, {"name": "rows", "source/path": "rows.csv", "batch_size": "7"})
    assert saved.status_code == 302
    row = Pipeline.objects.for_org(acme).get()
    assert row.options["batch_size"] == 7
    assert row.owner is not None
    page = admin.get(f"{PAGES}/p/rows/edit").content.decode()
    assert "rows.csv" in page
    assert "Schedule" in admin.get(f"{PAGES}/p/rows").content.decode()


def test_a_run_is_watched_and_its_files_are_saved(acme: Org) -> None:
    write_rows(acme, 3)
    run = done(write_pipeline(acme))
    admin = make_browser(acme, "admin")
    page = admin.get(f"{PAGES}/p/rows/runs/{run.uid}").content.decode()
    for words in ("<progress", "3 written", "rows.json"):
        assert words in page
    assert "every 1s" not in page
    file = admin.get(f"{PAGES}/p/rows/runs/{run.uid}/files/rows.json")
    assert file.headers["Content-Disposition"].startswith("attachment")
    assert b"".join(file.streaming_content).count(b"\n") == 3  # type: ignore[attr-defined]  # a file
    file.close()
    started = admin.post(f"{PAGES}/p/rows/run")
    fragment = admin.get(started.headers["Location"], headers=HTMX).content.decode()
    assert "every 1s" in fragment
    assert admin.post(f"{started.headers['Location']}/cancel").status_code == 302
    assert admin.post(f"{started.headers['Location']}/resume").status_code == 302


def test_programs_run_pipelines_and_read_what_came_of_it(acme: Org) -> None:
    admin = make_browser(acme, "admin")
    put = admin.put(f"{API}/rows", {"spec": SPEC}, content_type="application/json")
    assert put.status_code == 201
    write_rows(acme, 2)
    started = admin.post(f"{API}/rows/run").json()
    assert started["state"] == "queued"
    assert admin.post(f"{API}/rows/run").status_code == 409
    run = PipelineRun.objects.for_org(acme).get()
    run_execute(run_id=run.pk, clock=utc_now)
    one = admin.get(f"{API}/rows/runs/{run.uid}").json()
    assert (one["state"], one["written"]) == ("done", 2)
    assert [file["name"] for file in one["files"]] == ["rows.json"]
    assert len(admin.get(f"{API}/rows/runs").json()["items"]) == 1
    assert admin.get(f"{API}/rows/runs/{run.uid}/files/..%2Fx").status_code == 404
    assert make_browser(acme, "viewer").get(f"{API}/rows").status_code in {403, 404}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source": {"importer": "csv", "config": {}}}, "spec.source.config.path"),
        ({"source": {"importer": "nope"}}, "spec.source.importer"),
        ({"destinations": [{"exporter": "json", "config": {"x": 1}}]}, "spec.destinations[0]"),
        ({"destinations": []}, "spec.destinations"),
        ({"schedule": "often"}, "spec.schedule"),
        ({"steps": [{"processor": "metric", "config": {"x": 1}}]}, "spec.steps[0].config"),
        (
            {
                "source": {"importer": "detectviz", "config": {}},
                "destinations": [{"exporter": "csv"}, {"exporter": "csv", "name": "csv-2"}],
                "options": {"batch_size": 0},
            },
            "spec.options.batch_size",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(acme: Org, change: dict[str, Any], field: str) -> None:
    admin = make_browser(acme, "admin")
    spec = {**SPEC, **change}
    answer = admin.put(f"{API}/rows", {"spec": spec}, content_type="application/json")
    assert answer.status_code in {400, 422}
    assert field in str(answer.json())


def test_importer_and_exporter_must_have_a_signal_in_common(acme: Org) -> None:
    spec = {**SPEC, "destinations": [{"exporter": "detectviz"}]}
    admin = make_browser(acme, "admin")
    good = admin.put(f"{API}/rows", {"spec": spec}, content_type="application/json")
    assert good.status_code == 201

    traces = {"exporter": "traces", "config": {"url": "http://127.0.0.1:4318/v1/traces"}}
    spec = {**SPEC, "destinations": [{"exporter": "json"}, traces]}
    bad = admin.put(f"{API}/rows", {"spec": spec}, content_type="application/json")
    assert bad.status_code == 422
    assert "spec.destinations[1].exporter" in str(bad.json())
    assert "It takes traces" in str(bad.json())


def test_the_form_takes_any_number_of_stages_labels_and_a_folder(acme: Org) -> None:
    admin = make_browser(acme, "admin")
    folder = {"spec": {"title": "Web"}}
    where = "/apis/core/v1/orgs/acme/folders/web"
    assert admin.put(where, folder, content_type="application/json").status_code == 201
    page = admin.get(NEW).content.decode()
    assert 'id="stages-processor"' in page
    marks = MARK.findall(page)
    assert [mark.split()[1:3] for mark in marks] == [
        ["importer", "csv"],
        ["processor", "metric"],
        ["exporter", "json"],
    ]
    added = [
        MARK.findall(admin.get(f"{PAGES}/new/stage?{asked}", headers=HTMX).content.decode())[0]
        for asked in ("processor=metric", "exporter=json", "exporter=csv")
    ]
    last = added[1].split()[0]
    sent = {
        "stage": [*marks, *added],
        "name": "rows",
        "source/path": "rows.csv",
        f"{last}/file": "second.json",
        "folder": "web",
        "labels/0/key": "team",
        "labels/0/value": "shop",
        "~labels": "",
    }
    assert admin.post(NEW, sent).status_code == 302
    row = Pipeline.objects.for_org(acme).get()
    assert [each["name"] for each in row.steps] == ["metric", "metric-2"]
    assert [each["name"] for each in row.destinations] == ["json", "json-2", "csv"]
    assert row.destinations[1]["config"]["file"] == "second.json"
    assert row.folder is not None
    assert (row.folder.name, row.labels) == ("web", {"team": "shop"})

    edit = f"{PAGES}/p/rows/edit"
    page = admin.get(edit).content.decode()
    marks = MARK.findall(page)
    assert "second.json" in page
    assert 'value="shop"' in page
    # The first exporter goes; what stays keeps its name.
    kept = [mark for mark in marks if not mark.startswith("destinations-0 ")]
    again = {**sent, "stage": kept, "destinations-1/file": "second.json"}
    assert admin.post(edit, again).status_code == 302
    row.refresh_from_db()
    assert [each["name"] for each in row.destinations] == ["json-2", "csv"]

    none = [mark for mark in marks if not mark.startswith("destinations")]
    refused = admin.post(edit, {**sent, "stage": none})
    assert refused.status_code == 422
    assert "Nothing was saved" in refused.content.decode()
    assert "Write with" not in refused.content.decode()


@pytest.mark.parametrize(
    "stage", ["", "x", "steps-0 exporter nope", "steps-0 processor metric", "<b> importer csv"]
)
def test_a_stage_nobody_offered_is_refused(acme: Org, stage: str) -> None:
    admin = make_browser(acme, "admin")
    assert admin.post(NEW, {"stage": stage, "name": "rows"}).status_code == 404
    assert admin.get(f"{PAGES}/new/stage?exporter={stage}").status_code == 404
    assert not Pipeline.objects.for_org(acme).exists()


def test_a_wrong_field_of_an_added_stage_is_shown_where_it_stands(acme: Org) -> None:
    admin = make_browser(acme, "admin")
    marks = MARK.findall(admin.get(NEW).content.decode())
    added = MARK.findall(admin.get(f"{PAGES}/new/stage?exporter=json").content.decode())[0]
    key = added.split()[0]
    sent = {"stage": [*marks, added], "name": "rows", "source/path": "a", f"{key}/file": "../x"}
    refused = admin.post(NEW, sent)
    assert refused.status_code == 422
    page = refused.content.decode()
    assert f'href="#f-{key}-file"' in page
    assert added in page
