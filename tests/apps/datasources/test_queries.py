"""Queries through REST: ours and Grafana's, over built-in plugins."""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.http import StreamingHttpResponse
from django.test import Client
from pytest_django import Settings

from apps.datasources.models import Datasource
from apps.datasources.selectors import resolution_forget
from apps.datasources.services.queries import queries_run, query_executor_forget
from apps.extensions.selectors import plugin_host_use
from apps.orgs.models import Org
from detectviz.queries.document import read_request
from detectviz.runtime.bridge import GONE_KEY
from tests.factories.accounts import make_api_key, make_bound_member, make_full_org
from tests.factories.datasources import make_datasource

pytestmark = pytest.mark.django_db
REDUCE = {"type": "reduce", "expression": "A"}
ORG_QUERY = "/apis/datasources/v1/orgs/acme/query"
ONE_QUERY = "/apis/datasources/v1/orgs/acme/datasources/made/query"
GRAFANA = "/orgs/acme/grafana/api"


@pytest.fixture(autouse=True)
def _built_in_plugins(shelf: None) -> None:
    plugin_host_use(None)
    query_executor_forget()


@pytest.fixture
def org() -> Org:
    return make_full_org("acme")


@pytest.fixture
def made(org: Org) -> Datasource:
    return make_datasource(org, "made", type="testdata", json_data={}, secure_json_data={}, url="")


@pytest.fixture
def caller(org: Org) -> Client:
    return client_of(org, "alice", "operator")


def client_of(org: Org, name: str, role: str) -> Client:
    key = make_api_key(org, make_bound_member(org, name, role))
    return Client(headers={"Authorization": f"Bearer {key.token}"})


def ask(client: Client, path: str, *queries: dict[str, Any], **more: Any) -> Any:
    document = {"from": "now-10m", "to": "now", "queries": queries, **more}
    return client.post(path, orjson.dumps(document), content_type="application/json")


def listed(values: str = "1,2,3", **more: Any) -> dict[str, Any]:
    return {"scenario": "csv_metric_values", "values": values, **more}


def test_one_datasource_answers_with_frames_and_expressions(
    caller: Client, made: Datasource
) -> None:
    response = ask(
        caller,
        ONE_QUERY,
        listed(ref_id="A"),
        {**REDUCE, "ref_id": "B", "datasource": "__expr__", "reducer": "max"},
        {"ref_id": "C", "datasource": "__expr__", "type": "math", "expression": "$B * 2 > 5"},
    )  # fmt: skip
    assert response.status_code == 200, response.content
    found = response.json()["results"]
    assert [each["status"] for each in found.values()] == [200, 200, 200]
    frame = found["A"]["frames"][0]
    assert (frame["ref_id"], frame["shape"]) == ("A", "time-series")
    assert frame["fields"][1]["values"] == [1, 2, 3]
    assert found["C"]["frames"][0]["fields"][0]["values"] == [1]


def test_several_datasources_answer_each_for_itself(
    caller: Client, org: Org, made: Datasource
) -> None:
    make_datasource(
        org, "other", type="testdata", json_data={}, secure_json_data={}, is_default=True
    )
    response = ask(
        caller,
        ORG_QUERY,
        listed("1", ref_id="A", datasource="made"),
        listed("2", ref_id="B", datasource={"uid": made.uid}),
        listed("3", ref_id="C"),
        listed("4", ref_id="D", datasource="nowhere"),
        {
            "ref_id": "E",
            "datasource": "made",
            "scenario": "query_error",
            "message": "no such table",
        },
        {"ref_id": "F", "datasource": "made", "scenario": "server_error", "message": "down"},
        {"ref_id": "G", "datasource": "made", "scenario": "nonsense"},
        {"ref_id": "H", "datasource": "made", "misspelt": 1},
    )
    found = response.json()["results"]
    assert response.status_code == 200
    statuses = {name: each["status"] for name, each in found.items()}
    assert statuses == {
        "A": 200, "B": 200, "C": 200, "D": 404, "E": 400, "F": 502, "G": 400, "H": 400,
    }  # fmt: skip
    assert found["E"]["error"] == {"reason": "bad_query", "message": "no such table"}
    assert "scenario" in found["G"]["error"]["message"]
    assert "misspelt" in found["H"]["error"]["message"]


def test_a_wrong_document_names_its_field(caller: Client, made: Datasource) -> None:
    response = ask(caller, ORG_QUERY, {"ref_id": 5})
    assert response.status_code in {400, 422}
    assert "queries[0].ref_id" in response.content.decode()
    assert ask(caller, ORG_QUERY).status_code in {400, 422}
    assert ask(caller, f"{ORG_QUERY}?format=xml", listed()).status_code in {400, 422}


def test_querying_takes_its_permission(org: Org, made: Datasource) -> None:
    viewer = client_of(org, "vera", "viewer")
    assert ask(viewer, ORG_QUERY, listed(datasource="made")).status_code == 403
    assert ask(viewer, ONE_QUERY, listed()).status_code == 403
    assert ask(viewer, f"{GRAFANA}/ds/query", listed(datasource="made")).status_code == 403
    assert viewer.get(f"{GRAFANA}/datasources").status_code == 200


def test_variables_stand_in_queries_by_grammar(
    caller: Client, org: Org, tmp_path: Path, settings: Settings
) -> None:
    settings.DATASOURCE_FILES_DIR = tmp_path
    (tmp_path / "acme").mkdir()
    with sqlite3.connect(tmp_path / "acme" / "shop.db") as connection:
        connection.execute("CREATE TABLE orders (host TEXT, amount REAL)")
        connection.executemany(
            "INSERT INTO orders VALUES (?, ?)", [("a'b", 1.0), ("c", 2.0), ("d", 4.0)]
        )
    connection.close()
    make_datasource(
        org,
        "shop",
        type="sqlite",
        url="shop.db",
        json_data={},
        secure_json_data={},
        database="shop.db",
    )
    sql = "SELECT sum(amount) AS total FROM orders WHERE host IN ($host) AND amount > $floor"

    def total(host: object) -> Any:
        response = ask(
            caller,
            ORG_QUERY,
            {"ref_id": "A", "datasource": "shop", "sql": sql},
            variables={"host": host, "floor": 0},
        )
        outcome = response.json()["results"]["A"]
        assert outcome["status"] == 200, outcome
        return outcome["frames"][0]["fields"][0]["values"][0]

    assert total(["a'b", "d"]) == 5
    assert total("c') OR 1=1 --") is None


def test_secrets_are_in_no_error(caller: Client, org: Org) -> None:
    make_datasource(
        org, "made", type="testdata", json_data={}, secure_json_data={"password": "hush-hush"}
    )
    failing = {"ref_id": "A", "scenario": "server_error", "message": "login with hush-hush failed"}
    response = ask(caller, ONE_QUERY, failing)
    assert b"login with" in response.content
    assert b"hush-hush" not in response.content
    for path in ("datasources", "datasources/name/made"):
        assert b"hush-hush" not in caller.get(f"{GRAFANA}/{path}").content


def test_a_failing_datasource_is_left_alone_and_the_error_says_so(
    caller: Client, made: Datasource, settings: Settings
) -> None:
    settings.DATASOURCE_BREAKER_FAILURES = 2
    failing = {"ref_id": "A", "scenario": "server_error", "message": "down"}
    for _ in range(2):
        ask(caller, ONE_QUERY, failing)
    outcome = ask(caller, ONE_QUERY, listed(ref_id="A")).json()["results"]["A"]
    assert outcome["status"] == 503
    assert "left alone after 2 failures" in outcome["error"]["message"]
    made.resource_version += 1  # saved anew: another circuit
    made.save()
    resolution_forget(made.org_id)
    assert ask(caller, ONE_QUERY, listed(ref_id="A")).json()["results"]["A"]["status"] == 200


def test_time_is_limited_by_the_request(caller: Client, made: Datasource) -> None:
    began = time.monotonic()
    slow = {"ref_id": "A", "scenario": "slow_query", "delay": "20s"}
    found = ask(caller, ONE_QUERY, slow, listed(ref_id="B"), timeout="1s").json()["results"]
    assert time.monotonic() - began < 10
    assert (found["A"]["status"], found["B"]["status"]) == (504, 200)


def test_a_client_that_hangs_up_ends_its_queries(caller: Client, made: Datasource) -> None:
    gone = threading.Event()
    gone.set()
    document = {"queries": [{"ref_id": "A", "scenario": "slow_query", "delay": "20s"}]}
    began = time.monotonic()
    environ: dict[str, Any] = caller.defaults
    environ[GONE_KEY] = gone
    response = caller.post(ONE_QUERY, orjson.dumps(document), content_type="application/json")
    assert time.monotonic() - began < 10
    assert response.json()["results"]["A"]["status"] == 499


def test_other_formats_are_csv_and_lines(caller: Client, made: Datasource) -> None:
    csv = ask(caller, f"{ONE_QUERY}?format=csv", listed(ref_id="A"))
    assert csv["Content-Type"].startswith("text/csv")
    assert len(csv.content.splitlines()) == 4
    lines = ask(caller, f"{ONE_QUERY}?format=ndjson", listed(ref_id="A")).content.splitlines()
    assert [orjson.loads(line)["type"] for line in lines] == ["frame", "rows", "end"]


def test_large_answers_are_streamed(caller: Client, made: Datasource) -> None:
    rows = {"ref_id": "A", "scenario": "random_walk_table", "lines": 40_000}
    response = ask(caller, ONE_QUERY, rows)
    assert isinstance(response, StreamingHttpResponse)
    pieces = list(response)
    assert len(pieces) > 5
    (frame,) = orjson.loads(b"".join(pieces))["results"]["A"]["frames"]
    assert frame["rows"] == 40_000


def test_answers_are_cut_at_the_rows(caller: Client, made: Datasource, settings: Settings) -> None:
    settings.DATASOURCE_MAX_ROWS = 100
    rows = {"ref_id": "A", "scenario": "random_walk_table", "lines": 1000}
    (frame,) = ask(caller, ONE_QUERY, rows).json()["results"]["A"]["frames"]
    assert frame["rows"] == 100
    assert frame["notices"]


def test_rules_ask_as_the_platform(org: Org, made: Datasource) -> None:
    document = {"queries": [listed(ref_id="A", datasource="made")]}
    results = queries_run(org=org, access=None, request=read_request(document, now_ms=10**12))
    assert results.outcomes["A"].error is None


def test_fifty_queries_at_once_are_all_answered(org: Org, made: Datasource) -> None:
    document = {"queries": [listed(str(n), ref_id=f"Q{n}", datasource="made") for n in range(50)]}
    results = queries_run(org=org, access=None, request=read_request(document, now_ms=10**12))
    values = {
        name: outcome.frames[0].fields[1].values[0] for name, outcome in results.outcomes.items()
    }
    assert values == {f"Q{n}": n for n in range(50)}


# What Grafana's own frontend, grafana-client for Python and grafana-api-golang-client send.
Recorded = tuple[str, str, dict[str, Any] | None, Callable[[Any], bool]]
RECORDED: list[Recorded] = [
    ("GET", "/health", None, lambda body: body["database"] == "ok"),
    ("GET", "/user", None, lambda body: body["login"] and body["orgId"]),
    ("GET", "/org", None, lambda body: body["name"] == "acme"),
    ("GET", "/datasources", None, lambda body: body[0]["name"] == "made"),
    ("GET", "/datasources/name/made", None, lambda body: body["secureJsonFields"] == {}),
    (
        "POST",
        "/ds/query?ds_type=testdata&requestId=explore_A_0",
        {
            "queries": [
                {
                    "refId": "A",
                    "datasource": {"type": "grafana-testdata-datasource", "uid": "made"},
                    "scenarioId": "csv_metric_values", "values": "1,20,null", "datasourceId": 3,
                    "intervalMs": 15000, "maxDataPoints": 1241, "key": "Q-1a", "hide": False,
                },
                {
                    "refId": "B", "datasource": {"type": "__expr__", "uid": "__expr__"},
                    "type": "reduce", "reducer": "last", "expression": "A",
                    "settings": {"mode": "dropNN"},
                },
            ],
            "from": "1700000000000", "to": "1700003600000",
        },
        lambda body: body["results"]["B"]["frames"][0]["data"]["values"] == [[20]],
    ),
]  # fmt: skip


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded[1])
def test_grafanas_clients_get_the_shapes_they_expect(
    recorded: Recorded, caller: Client, made: Datasource
) -> None:
    method, path, sent, is_right = recorded
    body = orjson.dumps(sent) if sent else b""
    response = caller.generic(method, GRAFANA + path, body, content_type="application/json")
    assert response.status_code == 200, response.content
    assert is_right(response.json())


def test_grafanas_frames_have_schema_and_data(caller: Client, made: Datasource) -> None:
    query = {
        "refId": "A",
        "datasource": {"uid": made.uid},
        "scenarioId": "csv_metric_values",
        "values": "1,null",
    }
    body = ask(caller, f"{GRAFANA}/ds/query", query).json()
    (frame,) = body["results"]["A"]["frames"]
    assert [each["type"] for each in frame["schema"]["fields"]] == ["time", "number"]
    assert frame["data"]["values"][1] == [1, None]
    assert body["results"]["A"]["status"] == 200


def test_grafanas_failures_are_400_with_the_error_by_ref_id(
    caller: Client, made: Datasource
) -> None:
    query = {
        "refId": "A",
        "datasource": {"uid": made.uid},
        "scenarioId": "query_error",
        "message": "no",
    }
    response = ask(caller, f"{GRAFANA}/ds/query", query)
    assert response.status_code == 400
    assert response.json()["results"]["A"]["error"] == "no"
    response = ask(caller, f"{GRAFANA}/ds/query")
    assert (response.status_code, list(response.json())) == (400, ["message"])
    missing = caller.get(f"{GRAFANA}/datasources/uid/none")
    assert (missing.status_code, missing.json()) == (404, {"message": "Data source not found"})


def test_the_command_line_asks_a_datasource(
    made: Datasource, capsys: pytest.CaptureFixture[str]
) -> None:
    model = '{"scenario": "csv_metric_values", "values": "7,8"}'
    call_command("query", model, "--datasource", "made", "--org", "acme", "-o", "csv")
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["7.0", "8.0"]
    call_command("query", model, "--datasource", "made", "--org", "acme")
    assert "8" in capsys.readouterr().out
    failing = '{"scenario": "query_error", "message": "no such table"}'
    with pytest.raises(CommandError, match="no such table"):
        call_command("query", failing, "--datasource", "made", "--org", "acme")
