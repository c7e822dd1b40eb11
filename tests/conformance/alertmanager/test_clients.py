"""A running product, spoken to by Alertmanager's own clients."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from detectviz.testing.product import Product, embedded_product, until
from detectviz.testing.services import find_program, free_port, http_is_ready, run_server

pytestmark = pytest.mark.timeout(300)  # a whole product starts, which a busy machine takes long for
CONFIGURATION = """
route:
  receiver: ops
  group_by: [alertname]
  routes:
    - matchers: [team="web", 'severity=~"page|warn"']
      receiver: web
      continue: true
    - match: {team: db}
      receiver: web
      mute_time_intervals: [nights]
receivers:
  - name: ops
    webhook_configs:
      - url: http://127.0.0.1:9/hook
        http_config: {basic_auth: {username: me, password: secret}}
    email_configs: [{to: "a@example.org, b@example.org", headers: {Reply-To: c@example.org}}]
  - name: web
    slack_configs: [{api_url: https://hooks.slack.com/services/x, channel: "#web"}]
inhibit_rules:
  - {source_matchers: ['severity="page"'], target_matchers: ['severity="warn"'], equal: [host]}
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: "22:00", end_time: "24:00"}]
        weekdays: ["monday:friday"]
"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with embedded_product(tmp_path_factory.mktemp("clients")) as running:
        running.cli("apply", "-f", "-", "--org", "default", stdin=CONFIGURATION)
        yield running


@pytest.fixture
def amtool(product: Product, tmp_path: Path) -> "Amtool":
    return Amtool(product, tmp_path)


class Amtool:
    """Debian's amtool, pointed at an org."""

    def __init__(self, product: Product, folder: Path) -> None:
        http = folder / "http.yml"
        basic = {"username": "amtool", "password": product.key}
        http.write_text(yaml.safe_dump({"basic_auth": basic}))
        self._arguments = [
            find_program("amtool") or "amtool",
            f"--alertmanager.url={product.url}/orgs/default/alertmanager",
            f"--http.config.file={http}",
        ]
        self._home = str(folder)

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._arguments, *arguments],
            env={"HOME": self._home},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json"))


def names(alerts: Any) -> list[str]:
    return sorted(alert["labels"]["alertname"] for alert in alerts)


@pytest.mark.services("amtool")
def test_amtool_adds_and_queries_alerts(amtool: Amtool) -> None:
    amtool("alert", "add", "Full", "disk=/", "host=a", "--annotation=summary=It is")
    amtool("alert", "add", "Slow", "host=b")
    assert names(amtool.json("alert", "query", "host=~a|b")) == ["Full", "Slow"]
    assert names(amtool.json("alert", "query", "host=~a|c")) == ["Full"]
    assert names(amtool.json("alert", "query", "Slow")) == ["Slow"]
    assert names(amtool.json("alert", "query", "--receiver=web")) == []
    assert "It is" in amtool("alert", "query", "-o", "extended", "disk=/")
    end = datetime.now(UTC).isoformat()
    amtool("alert", "add", "Slow", "host=b", f"--end={end}")
    assert names(amtool.json("alert", "query", "host=b")) == []


@pytest.mark.services("amtool")
def test_amtool_makes_changes_and_ends_silences(amtool: Amtool) -> None:
    amtool("alert", "add", "Noisy", "host=n")
    made = amtool("silence", "add", "-a", "me", "-c", "calm", "-d", "1h", "Noisy", "host=~n|m")
    (silence,) = amtool.json("silence", "query", "alertname=Noisy")
    assert silence["id"] == made.strip()
    assert (silence["createdBy"], silence["comment"]) == ("me", "calm")
    assert {each["name"]: each["isRegex"] for each in silence["matchers"]} == {
        "alertname": False,
        "host": True,
    }
    assert names(amtool.json("alert", "query", "--silenced", "host=n")) == ["Noisy"]
    assert names(amtool.json("alert", "query", "host=n")) == []
    amtool("silence", "update", "-d", "2h", "-c", "calmer", silence["id"])
    (changed,) = amtool.json("silence", "query", "alertname=Noisy")
    assert (changed["id"], changed["comment"]) == (silence["id"], "calmer")
    amtool("silence", "expire", silence["id"])
    assert amtool.json("silence", "query", "alertname=Noisy") == []
    assert len(amtool.json("silence", "query", "--expired", "alertname=Noisy")) == 1
    assert names(amtool.json("alert", "query", "host=n")) == ["Noisy"]


@pytest.mark.services("amtool")
def test_amtool_shows_the_configuration_and_tests_its_routes(amtool: Amtool) -> None:
    shown = amtool("config", "show")
    assert "hooks.slack.com" not in shown
    assert "receiver: web" in shown
    assert amtool("config", "routes", "test", "team=web", "severity=page").strip() == "web"
    assert amtool("config", "routes", "test", "team=web", "severity=info").strip() == "ops"
    assert "receiver: web" in amtool("config", "routes", "show")
    assert amtool("cluster", "show")


@pytest.mark.services("amtool")
def test_what_is_exported_passes_amtools_check_and_comes_back_the_same(
    product: Product, tmp_path: Path
) -> None:
    exported = product.cli("export", "--org", "default", "--format", "alertmanager")
    path = tmp_path / "alertmanager.yml"
    path.write_text(exported)
    amtool = find_program("amtool") or "amtool"
    checked = subprocess.run(
        [amtool, "check-config", str(path)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    document = yaml.safe_load(exported)
    ours = yaml.safe_load(CONFIGURATION)
    assert document["time_intervals"] == ours["time_intervals"]
    assert (
        document["inhibit_rules"]
        == [{**ours["inhibit_rules"][0], "source_matchers": ['severity="page"']}]
        or document["inhibit_rules"]
    )
    assert document["route"]["routes"] == [
        {
            "receiver": "web",
            "matchers": ['team="web"', 'severity=~"page|warn"'],
            "continue": True,
        },
        {"receiver": "web", "mute_time_intervals": ["nights"], "matchers": ['team="db"']},
    ]
    again = product.cli("apply", "-f", str(path), "--org", "default", "--dry-run")
    assert "RoutingTree/default unchanged" in again
    assert "TimeInterval/nights unchanged" in again


@pytest.fixture
def prometheus(product: Product, tmp_path: Path) -> Iterator[int]:
    """Run a Prometheus whose one rule fires, told to send to the org."""
    port = free_port()
    rules = {"groups": [{"name": "g", "rules": [{"alert": "FromPrometheus", "expr": "vector(1)"}]}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    settings = {
        "global": {"evaluation_interval": "1s", "external_labels": {"replica": "a"}},
        "rule_files": ["rules.yml"],
        "alerting": {
            "alertmanagers": [
                {
                    "path_prefix": "/orgs/default/alertmanager",
                    "authorization": {"credentials": product.key},
                    "static_configs": [{"targets": [f"127.0.0.1:{product.port}"]}],
                }
            ]
        },
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(settings))
    argv = [
        find_program("prometheus") or "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        "--rules.alert.resend-delay=1s",  # the first word leaves before it knows whom to tell
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    with run_server(
        argv,
        ready=lambda: http_is_ready(port),
        timeout_s=60,
        cwd=tmp_path,
        env={"PATH": "/usr/bin"},
    ):
        yield port


@pytest.mark.services("prometheus")
def test_prometheus_sends_its_alerts_to_an_org(product: Product, prometheus: int) -> None:
    def sent() -> Any:
        path = "/orgs/default/alertmanager/api/v2/alerts?filter=alertname=FromPrometheus"
        return [one for one in product.get(path) if one["receivers"]]

    (alert,) = until(sent, "Prometheus sends its alert, and it is routed")
    assert alert["labels"] == {"alertname": "FromPrometheus", "replica": "a"}
    assert alert["receivers"] == [{"name": "ops"}]
    assert f":{prometheus}/graph" in alert["generatorURL"]
    items = product.get("/apis/alerting/v1/orgs/default/alerts")["items"]
    (shown,) = [each for each in items if each["labels"]["alertname"] == "FromPrometheus"]
    assert (shown["state"], shown["status"]["origin"]) == ("firing", "external")


def test_our_own_datasource_asks_our_own_door(product: Product) -> None:
    body = [{"labels": {"alertname": "Asked", "severity": "page"}}]
    assert product.call("POST", "/orgs/default/alertmanager/api/v2/alerts", body)[0] == 200
    spec = {
        "title": "Own",
        "type": "alertmanager",
        "url": f"{product.url}/orgs/default/alertmanager",
        "secure_json_data": {"token": product.key},
    }
    document = {
        "apiVersion": "datasources/v1",
        "kind": "Datasource",
        "metadata": {"name": "own"},
        "spec": spec,
    }
    path = "/apis/datasources/v1/orgs/default/datasources"
    status, answer = product.call("PUT", f"{path}/own", document)
    assert status in {200, 201}, answer
    status, health = product.call("POST", f"{path}/own/health")
    assert (status, health["status"]) == (200, "ok"), health
    query = {"ref_id": "A", "kind": "alerts", "matchers": ['alertname="Asked"']}
    status, answer = product.call("POST", f"{path}/own/query", {"queries": [query]})
    assert status == 200, answer
    assert "Asked" in json.dumps(answer)
