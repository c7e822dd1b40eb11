"""Our own metrics: a valid exposition, told to those who may read it, in line with its page."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from detectviz.observability.http import METHODS, request_count, route_of
from detectviz.observability.metrics import metrics_text
from detectviz.testing.services import find_program
from tests.architecture.metrics import BEGIN, PAGE, declare_all, metrics_table
from tests.factories.accounts import make_api_key, make_user
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
OUTSIDE: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.7"}


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_page_is_what_the_code_declares() -> None:
    declare_all()

    written = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2]
    assert written == metrics_table(), "run python -m tests.architecture.metrics"


def test_the_exposition_can_be_parsed_and_every_family_stands_once() -> None:
    declare_all()
    names = [family.name for family in text_string_to_metric_families(metrics_text().decode())]

    assert len(names) == len(set(names))
    assert {"detectviz_info", "detectviz_collectors", "detectviz_queue_depth"} & set(names)


@pytest.mark.services("promtool")
def test_promtool_finds_nothing_to_say_about_our_metrics(client: Client) -> None:
    declare_all()
    client.get("/healthz")
    text = metrics_text()
    promtool = find_program("promtool")
    assert promtool is not None

    ran = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )

    # The page lists the names that the contract fixes although linters would choose others.
    said = [line for line in ran.stderr.decode().splitlines() if line.startswith("detectviz_")]
    assert said == []
    assert b"error while linting" not in ran.stderr


def test_with_several_processes_their_counts_are_summed(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}  # noqa: TID251 - the children's own
    child = (
        "from detectviz.pluginhost.telemetry import executions_count;"
        "executions_count('collector', 'http', 'ok', took_s=0.5, executions=2)"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", child], env=environment, check=True)
    reader = (
        "from detectviz.observability.metrics import _counted;"
        "from prometheus_client import generate_latest;"
        "print(generate_latest(_counted()).decode())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", reader], env=environment, check=True, capture_output=True, text=True
    )

    assert (
        'detectviz_plugin_executions_total{kind="collector",outcome="ok",plugin="http"} 4.0'
        in shown.stdout
    )


def test_a_request_is_counted_by_the_name_of_its_route(client: Client) -> None:
    before = _value("detectviz_http_requests_total", method="GET", path="healthz", status="200")

    client.get("/healthz")

    after = _value("detectviz_http_requests_total", method="GET", path="healthz", status="200")
    assert after == before + 1
    assert _value("detectviz_http_response_size_bytes_sum", method="GET", path="healthz") >= 3


def test_paths_and_methods_that_strangers_invent_make_no_series(client: Client) -> None:
    before = _value("detectviz_http_requests_total", method="GET", path="unmatched", status="404")

    client.get("/no/such/page-nobody-made")

    assert "nobody-made" not in metrics_text().decode()
    after = _value("detectviz_http_requests_total", method="GET", path="unmatched", status="404")
    assert after == before + 1

    request = RequestFactory().generic("BREW", "/healthz")
    request_count(request, HttpResponse("", status=405), 0.01)
    assert "BREW" not in METHODS
    assert _value("detectviz_http_requests_total", method="other", path="unmatched", status="405")


def test_static_files_share_one_name() -> None:
    assert route_of(RequestFactory().get("/static/css/app.css")) == "static"


@pytest.mark.parametrize(
    ("external_url", "extra", "status"),
    [
        ("http://127.0.0.1:8080", {"REMOTE_ADDR": "127.0.0.1"}, 200),
        ("http://localhost:8080", {"REMOTE_ADDR": "::1"}, 200),
        ("http://0.0.0.0:8080", {"REMOTE_ADDR": "127.0.0.1"}, 200),
        ("http://127.0.0.1:8080", OUTSIDE, 401),
        ("http://127.0.0.1:8080", {**OUTSIDE, "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 401),
        (
            "http://127.0.0.1:8080",
            {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"},
            401,
        ),
        ("https://detectviz.example", {"REMOTE_ADDR": "127.0.0.1"}, 401),
    ],
)
def test_programs_of_this_machine_may_read_unless_a_proxy_stands_in_front(
    client: Client,
    settings: Settings,
    external_url: str,
    extra: dict[str, Any],
    status: int,
) -> None:
    settings.EXTERNAL_URL = external_url

    answer = client.get("/metrics", **extra)

    assert answer.status_code == status
    if status == 401:
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert b"sys port" in answer.content


def test_the_token_of_the_settings_opens_metrics(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "scrape-me-4711"

    right = client.get("/metrics", headers={"Authorization": "Bearer scrape-me-4711"}, **OUTSIDE)
    wrong = client.get("/metrics", headers={"Authorization": "Bearer scrape-me-4712"}, **OUTSIDE)
    settings.METRICS_TOKEN = ""
    unset = client.get("/metrics", headers={"Authorization": "Bearer "}, **OUTSIDE)

    assert (right.status_code, wrong.status_code, unset.status_code) == (200, 401, 401)
    assert right["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize(("is_superuser", "status"), [(True, 200), (False, 403)])
def test_a_session_reads_metrics_only_as_platform_administrator(
    client: Client, *, is_superuser: bool, status: int
) -> None:
    client.force_login(make_user("root", is_superuser=is_superuser), _backend())

    assert client.get("/metrics", **OUTSIDE).status_code == status


@pytest.mark.parametrize(("scopes", "status"), [(("*:*",), 200), (("monitors:read",), 403)])
def test_an_administrators_key_needs_the_scope(
    client: Client, scopes: tuple[str, ...], status: int
) -> None:
    key = make_api_key(make_org(), make_user("root", is_superuser=True), *scopes)

    answer = client.get("/metrics", headers={"Authorization": f"Bearer {key.token}"}, **OUTSIDE)

    assert answer.status_code == status


def test_a_wrong_key_is_refused(client: Client) -> None:
    answer = client.get("/metrics", headers={"Authorization": "Bearer dv_0000_wrong"}, **OUTSIDE)

    assert answer.status_code == 401


def _backend() -> str:
    return "apps.accounts.services.signin.PersonBackend"
