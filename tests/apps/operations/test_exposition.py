"""What a run exported is scraped by a real Prometheus, with a key and not without."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen  # noqa: TID251 - Prometheus is asked, not the product

import pytest

from apps.operations.enums import RunTrigger
from apps.operations.models import Pipeline
from apps.operations.services.execution import run_execute
from apps.operations.services.runs import run_start
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.testing.services import find_program, free_port, http_is_ready, run_server
from tests.factories.accounts import make_api_key, make_bound_member, make_full_org
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser
from tests.factories.pipelines import write_pipeline, write_rows

pytestmark = pytest.mark.django_db(transaction=True)
DOOR = "/apis/plugins/v1/orgs/acme/pipelines/rows/metrics"
SAMPLES = {"as": "metrics", "value_columns": ["value"], "label_columns": ["site"]}


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> None:
    settings.DATASOURCE_FILES_DIR = tmp_path / "files"
    settings.EXPORTS_DIR = tmp_path / "exports"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def exposed(org: Org, **config: Any) -> Pipeline:
    write_rows(org, 3)
    return write_pipeline(
        org,
        source={"importer": "csv", "config": {"path": "rows.csv", **SAMPLES}},
        destinations=[{"exporter": "exposition", "config": config}],
    )


def run(pipeline: Pipeline) -> None:
    started = run_start(pipeline=pipeline, actor=None, trigger=RunTrigger.MANUAL, now=utc_now())
    assert run_execute(run_id=started.pk, clock=utc_now)
    started.refresh_from_db()
    assert started.state == "done", started.reason


def test_before_the_first_run_there_is_nothing(acme: Org) -> None:
    exposed(acme)
    answer = make_browser(acme, "admin").get(DOOR)
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_latest_sample_of_each_series_is_shown(acme: Org) -> None:
    run(exposed(acme))
    answer = make_browser(acme, "admin").get(DOOR)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer.content.decode().splitlines() == ["# TYPE value untyped", 'value{site="web"} 2.0']


def test_who_asks_for_openmetrics_gets_it(acme: Org) -> None:
    run(exposed(acme, timestamps=True))
    browser = make_browser(acme, "admin")
    answer = browser.get(DOOR, headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    kind, line, end = answer.content.decode().splitlines()
    assert (kind, end) == ("# TYPE value unknown", "# EOF")
    assert line.startswith('value{site="web"} 2.0 1')


def test_a_pipeline_without_such_a_destination_says_so(acme: Org) -> None:
    write_pipeline(acme)
    answer = make_browser(acme, "admin").get(DOOR)
    assert answer.status_code == 404
    assert "exposition" in answer.content.decode()


@pytest.mark.services("prometheus")
def test_a_real_prometheus_scrapes_it(live_server: Any, tmp_path: Path) -> None:
    acme = make_full_org("acme")
    run(exposed(acme))
    key = make_api_key(acme, make_bound_member(acme, "reader", "admin"))
    port = free_port()
    config = {
        "global": {"scrape_interval": "3s", "scrape_timeout": "3s"},
        "scrape_configs": [
            {
                "job_name": "acme",
                "metrics_path": DOOR,
                "authorization": {"credentials": str(key.token)},
                "static_configs": [{"targets": [live_server.url.removeprefix("http://")]}],
            },
            {
                "job_name": "nobody",
                "metrics_path": DOOR,
                "static_configs": [{"targets": [live_server.url.removeprefix("http://")]}],
            },
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    argv = [
        find_program("prometheus") or "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with run_server(argv, ready=lambda: http_is_ready(port)):
        found = _asked(port, 'value{job="acme"}')
        assert (found["metric"]["site"], found["value"][1]) == ("web", "2")
        assert _asked(port, 'up{job="nobody"}')["value"][1] == "0"


def _asked(port: int, query: str) -> Any:
    address = f"http://127.0.0.1:{port}/api/v1/query?{urlencode({'query': query})}"
    ends_at = time.monotonic() + 30
    while time.monotonic() < ends_at:
        with urlopen(address, timeout=5) as answer:
            result = json.load(answer).get("data", {}).get("result")
        if result:
            return result[0]
        time.sleep(0.2)
    raise AssertionError(f"Prometheus has no {query}")
