"""Series, labels, metadata, exemplars, status and deletion as Prometheus' clients ask for them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from apps.series.services import NewExemplar, exemplars_record, series_store_use
from detectviz.promql.memory_store import MemoryStore
from tests.factories.accounts import make_api_key, make_user
from tests.factories.queries import NOW_S, Asker

DOTTED: dict[str, Any] = {"my.label": "x"}
NOW = datetime.fromtimestamp(NOW_S, UTC)


def test_series_and_labels_are_listed(asker: Asker) -> None:
    asker.put(1, job="api")
    asker.put(1, job="web", **DOTTED)
    both = [{"__name__": "up", "job": "api"}, {"__name__": "up", "job": "web", "my.label": "x"}]
    assert asker.get("series", match="up")["data"] == both
    assert asker.post("series", match=["up", '{job="api"}'])["data"] == both
    assert asker.get("series", match="up", end=NOW_S - 1)["data"] == []
    assert asker.get("labels")["data"] == ["__name__", "job", "my.label"]
    assert asker.get("labels", match='{job="api"}')["data"] == ["__name__", "job"]
    assert asker.get("label/job/values")["data"] == ["api", "web"]
    assert asker.get("label/job/values", match=['{job="web"}', "down"])["data"] == ["web"]


@pytest.mark.parametrize("name", ["my.label", "U__my_2e_label"])
def test_names_may_be_escaped(asker: Asker, name: str) -> None:
    asker.put(1, **DOTTED)
    assert asker.get(f"label/{name}/values")["data"] == ["x"]


def test_exemplars_are_found_by_an_expression(asker: Asker) -> None:
    exemplar = NewExemplar(
        series_labels={"__name__": "hits", "job": "api"},
        labels={"trace_id": "abc"},
        value=0.5,
        timestamp_ms=NOW_S * 1000 + 250,
    )
    exemplars_record(org=asker.org, exemplars=[exemplar], now=NOW)
    span = {"start": str(NOW_S), "end": str(NOW_S + 1)}
    found = asker.post("query_exemplars", query="rate(hits[5m]) + other", **span)["data"]  # type: ignore[arg-type]  # parameters, not the status
    assert found == [
        {
            "seriesLabels": {"__name__": "hits", "job": "api"},
            "exemplars": [
                {"labels": {"trace_id": "abc"}, "value": "0.5", "timestamp": NOW_S + 0.25}
            ],
        }
    ]


@pytest.mark.parametrize(
    "path",
    ["config", "flags", "runtimeinfo", "buildinfo", "tsdb", "walreplay"],
)
def test_the_status_is_told(asker: Asker, path: str) -> None:
    asker.put(1, job="api")
    assert asker.get(f"status/{path}")["status"] == "success"


def test_grafana_learns_whose_api_this_is(asker: Asker) -> None:
    assert asker.get("status/buildinfo")["data"]["version"].startswith("3.")
    assert asker.get("alertmanagers")["data"] == {
        "activeAlertmanagers": [],
        "droppedAlertmanagers": [],
    }


@pytest.mark.parametrize("path", ["-/healthy", "-/ready"])
def test_health_is_told(asker: Asker, path: str) -> None:
    assert asker.send("get", path).status_code == 200


def test_what_is_deleted_is_gone(asker: Asker) -> None:
    asker.put(1, job="api")
    asker.put(1, job="web")
    path = "api/v1/admin/tsdb/delete_series"
    assert asker.send("post", path, match='{job="api"}').status_code == 204
    assert asker.get("label/job/values")["data"] == ["web"]
    assert asker.send("post", path).status_code == 400
    assert asker.send("get", path, match="up").status_code == 405
    assert asker.send("post", "api/v1/admin/tsdb/clean_tombstones").status_code == 204


class CopyingStore(MemoryStore):
    def snapshot(self, path: Path) -> None:
        path.write_bytes(b"copy")


def test_only_platform_administrators_copy_the_store(
    asker: Asker, settings: Settings, tmp_path: Path, client: Any
) -> None:
    settings.DATA_DIR = tmp_path
    path = "api/v1/admin/tsdb/snapshot"
    assert asker.send("post", path).status_code == 403
    root = make_user("root", is_superuser=True)
    key = make_api_key(asker.org, root, name="root")
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key.token}"
    address = f"/orgs/{asker.org.name}/prometheus/{path}"
    assert client.post(address).status_code == 422
    series_store_use(CopyingStore())
    name = client.post(address).json()["data"]["name"]
    assert (tmp_path / "snapshots" / name).read_bytes() == b"copy"
