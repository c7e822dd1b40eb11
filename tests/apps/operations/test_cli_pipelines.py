"""`detectviz pipelines` runs, follows, cancels and resumes from a shell."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.operations.models import PipelineRun
from apps.orgs.models import Org
from detectviz.resources.errors import NotFoundError
from tests.factories.orgs import make_org
from tests.factories.pipelines import write_pipeline, write_rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> None:
    settings.DATASOURCE_FILES_DIR = tmp_path / "files"
    settings.EXPORTS_DIR = tmp_path / "exports"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def told(*arguments: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        call_command("pipelines", *arguments, "--org", "acme", stdout=out)
    return out.getvalue()


def test_a_run_is_told_as_json_and_shows_no_bar_without_a_terminal(
    acme: Org, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pipeline(acme)
    write_rows(acme, 3)
    (run,) = json.loads(told("run", "rows", "--here", "-o", "json"))
    assert (run["state"], run["read"], run["written"]) == ("done", 3, 3)
    assert capsys.readouterr().err == ""


def test_runs_are_a_table_with_the_latest_first(acme: Org) -> None:
    write_pipeline(acme)
    write_rows(acme, 2)
    assert "done" in told("run", "rows", "--here")
    write_rows(acme, 5)
    told("run", "rows", "--here")
    head, *lines = [line.split() for line in told("runs", "rows").splitlines() if line.strip()]
    assert head[:5] == ["RUN", "STATE", "READ", "WRITTEN", "WRONG"]
    assert [line[2] for line in lines] == ["5", "2"]


def test_one_that_fails_ends_with_status_1_and_its_reason(acme: Org) -> None:
    write_pipeline(acme, options={"attempts": 1})
    errors = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("pipelines", "run", "rows", "--here", "--org", "acme", stderr=errors)
    assert ended.value.code == 1
    run = PipelineRun.objects.for_org(acme).get()
    assert run.reason
    assert run.reason in errors.getvalue()


def test_one_that_waits_is_cancelled_and_goes_on(acme: Org) -> None:
    write_pipeline(acme)
    write_rows(acme, 3)
    assert "queued" in told("run", "rows", "--detach")
    assert "cancelled" in told("cancel", "rows")
    (run,) = json.loads(told("resume", "rows", "--here", "-o", "json"))
    assert (run["state"], run["written"]) == ("done", 3)


def test_what_is_not_there_is_named(acme: Org) -> None:
    with pytest.raises(NotFoundError, match="no pipeline 'rows'"):
        told("runs", "rows")
    write_pipeline(acme)
    with pytest.raises(NotFoundError, match="rows has not run yet"):
        told("cancel", "rows")
