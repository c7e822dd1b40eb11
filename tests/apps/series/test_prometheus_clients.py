"""Prometheus' own programs ask us: promtool, and a server that federates and evaluates rules."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from apps.orgs.models import Org
from apps.series.services import series_store_use
from detectviz.clock import to_ms, utc_now
from detectviz.contracts.histograms import Histogram
from detectviz.promql.memory_store import MemoryStore
from detectviz.testing.product import until
from detectviz.testing.services import find_program, free_port, http_is_ready, run_server
from detectviz.tsdb.interface import Sample
from tests.factories.accounts import make_api_key, make_bound_member, make_full_org
from tests.factories.queries import Asker

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.services("prometheus", "promtool"),
]
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
- job_name: federation
  metrics_path: /orgs/acme/prometheus/federate
  honor_labels: true
  params: {{"match[]": ['{{job="api"}}']}}
  basic_auth: {{username: prometheus, password: {password}}}
  static_configs: [{{targets: ["{host}"]}}]
"""
SIZES = Histogram(
    count=10.5,
    sum=22.25,
    schema=3,
    zero_threshold=1e-9,
    zero_count=0.5,
    positive_spans=((-2, 2), (3, 1)),
    positive=(1, 2, 3),
    negative_spans=((0, 1),),
    negative=(4,),
)
RULES = """
groups:
- name: federated
  rules: [{record: "job:up:sum", expr: "sum by (job) (up{job='api'})"}]
"""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running server and a key for the org ``acme``."""

    host: str
    token: str

    @property
    def url(self) -> str:
        """What a client is told."""
        return f"http://promtool:{self.token}@{self.host}/orgs/acme/prometheus"


@pytest.fixture
def served(live_server: Any) -> Iterator[Served]:
    store = MemoryStore()
    series_store_use(store)
    org, rival = make_full_org("acme"), make_full_org("rival")
    fill(store, org, "api", "web")
    fill(store, rival, "api", "secret")
    user = make_bound_member(org, "reader", "viewer")
    key = make_api_key(org, user)
    yield Served(host=live_server.url.removeprefix("http://"), token=str(key.token))
    series_store_use(None)


def fill(store: MemoryStore, org: Org, *jobs: str) -> None:
    """Store a minute of the past and two of the future, so that nothing gets too old."""
    now_ms = to_ms(utc_now())
    for offset_ms in range(-60_000, 120_000, 5_000):
        at_ms = now_ms + offset_ms
        store.append(
            org.uid,
            [Sample({"__name__": "up", "job": job, "instance": "a"}, at_ms, 1.0) for job in jobs]
            + [Sample({"__name__": "sizes", "job": jobs[0]}, at_ms, float("nan"), histogram=SIZES)],
        )


def promtool(served: Served, kind: str, *arguments: str) -> str:
    program = find_program("promtool")
    assert program is not None
    argv = [program, "query", kind, served.url, *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_promtool_reads_instants_ranges_series_and_labels(served: Served) -> None:
    instant = promtool(served, "instant", 'up{job="web"}')
    assert instant.startswith('up{instance="a", job="web"} => 1 @[')
    assert promtool(served, "range", "sum(up)", "--step=5s").count("2 @[") > 5
    series = promtool(served, "series", "--match=up")
    assert series.splitlines() == [
        '{__name__="up", instance="a", job="api"}',
        '{__name__="up", instance="a", job="web"}',
    ]
    assert promtool(served, "labels", "job").split() == ["api", "web"]


def test_promtool_shows_our_errors(served: Served) -> None:
    program = find_program("promtool")
    assert program is not None
    argv = [program, "query", "instant", served.url, "up{"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode != 0
    assert "bad_data: invalid parameter" in done.stderr


def test_a_prometheus_federates_from_us_and_evaluates_rules_on_it(
    served: Served, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES, encoding="utf-8")
    config = CONFIG.format(rules=rules, password=served.token, host=served.host)
    (tmp_path / "prometheus.yml").write_text(config, encoding="utf-8")
    port = free_port()
    argv = [
        str(find_program("prometheus")),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
        "--enable-feature=native-histograms",
    ]
    with run_server(argv, ready=lambda: http_is_ready(port)):

        def answered(query: str) -> Any:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", f"/api/v1/query?query={query}")
            response = connection.getresponse()
            text = response.read()
            connection.close()
            is_ready = response.status == HTTPStatus.OK  # it opens its port before its store
            return json.loads(text)["data"]["result"] if is_ready else []

        (recorded,) = until(lambda: answered("job:up:sum"), "a recorded federated series")
        assert recorded["metric"] == {"__name__": "job:up:sum", "job": "api"}
        assert recorded["value"][1] == "1"
        (federated,) = answered('up{job="api"}')
        assert federated["metric"] == {"__name__": "up", "instance": "a", "job": "api"}
        wanted = {"count": 10.5, "sum": 22.25}
        for name, value in wanted.items():
            (found,) = answered(f"histogram_{name}(sizes)")
            assert (found["metric"], float(found["value"][1])) == ({"job": "api"}, value)
        assert answered("histogram_quantile(0.9,sizes)")[0]["value"][1] != "NaN"


GRAFANA = [
    ("POST", "api/v1/query", "query=1%2B1&time=1700000000.000"),
    (
        "POST",
        "api/v1/query_range",
        "end=1700003600&query=sum%28rate%28up%5B1m15s%5D%29%29&start=1700000000&step=15",
    ),
    ("POST", "api/v1/query_exemplars", "end=1700003600&query=up&start=1700000000"),
    ("GET", "api/v1/labels", "start=1700000000&end=1700003600&match%5B%5D=up&limit=40000"),
    ("GET", "api/v1/label/job/values", "start=1700000000&end=1700003600&match%5B%5D=up"),
    ("GET", "api/v1/label/__name__/values", "start=1700000000&end=1700003600"),
    ("POST", "api/v1/series", "start=1700000000&end=1700003600&match%5B%5D=up&limit=40000"),
    ("GET", "api/v1/metadata", "limit=1000"),
    ("GET", "api/v1/rules", ""),
    ("GET", "api/v1/status/buildinfo", ""),
]


@pytest.mark.parametrize(("method", "path", "sent"), GRAFANA)
def test_grafanas_requests_succeed(asker: Asker, method: str, path: str, sent: str) -> None:
    address = f"/orgs/{asker.org.name}/prometheus/{path}"
    if method == "POST":
        form = "application/x-www-form-urlencoded"
        response: Any = asker.client.post(address, sent, content_type=form)
    else:
        response = asker.client.get(f"{address}?{sent}")
    assert response.status_code == 200, response.content
    assert response.json()["status"] == "success"
