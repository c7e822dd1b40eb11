"""On Alertmanager as Debian has it."""

from typing import cast

import pytest

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceContext,
    DatasourceSettings,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.network import HttpClient
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.net.http import SyncHttpClient
from detectviz.testing.datasource_fakes import (
    data_query,
    datasource_context,
    datasource_settings,
)
from detectviz.testing.datasources import DatasourceConformance
from detectviz.testing.plugins import built_in_plugins

pytestmark = pytest.mark.services("prometheus-alertmanager")


class TestConformance(DatasourceConformance):
    name = "alertmanager"
    speaks_http = True
    queries = ({}, {"kind": "count"}, {"matchers": ['job="a"']}, {"kind": "silences"})
    wrong_queries = (
        ({"matchers": ["no matcher"]}, "matcher"),
        ({"receiver": "("}, "receiver"),
    )

    @pytest.fixture
    def http(self, client: SyncHttpClient) -> HttpClient:
        return client

    @pytest.fixture
    def settings(self, alertmanager_url: str) -> DatasourceSettings:
        return datasource_settings("alertmanager", url=alertmanager_url)


@pytest.fixture
def context(alertmanager_url: str, client: SyncHttpClient) -> DatasourceContext:
    settings = datasource_settings("alertmanager", url=alertmanager_url)
    return datasource_context(settings, http=client)


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "alertmanager")


def columns(context: DatasourceContext, model: JsonObject) -> dict[str, list[JsonValue]]:
    (frame,) = plugin().query(data_query("alertmanager", model), context)
    return {field.name: list(field.values) for field in frame.fields}


def test_alerts_have_their_state_and_labels(context: DatasourceContext) -> None:
    found = columns(context, {"matchers": ['alertname="Down"']})
    by_job = {cast("JsonObject", labels)["job"]: row for row, labels in enumerate(found["labels"])}
    assert set(by_job) == {"a", "b"}
    assert found["severity"] == ["page", "page"]
    assert found["receivers"] == ["nobody", "nobody"]
    assert found["state"][by_job["b"]] == "suppressed"
    assert found["silenced_by"][by_job["b"]]
    assert isinstance(found["starts_at"][0], int)
    assert columns(context, {"silenced": False})["alertname"].count("Down") == 1


def test_alerts_are_counted_by_severity(context: DatasourceContext) -> None:
    (frame,) = plugin().query(data_query("alertmanager", {"kind": "count"}), context)
    assert [(dict(field.labels), list(field.values)) for field in frame.fields] == [
        ({"severity": "info"}, [5]),
        ({"severity": "page"}, [2]),
        ({"severity": "warn"}, [1]),
    ]
    nothing = {"kind": "count", "matchers": ['job="no"']}
    (frame,) = plugin().query(data_query("alertmanager", nothing), context)
    assert list(frame.fields[0].values) == [0]


def test_silences_tell_what_they_match(context: DatasourceContext) -> None:
    found = columns(context, {"kind": "silences"})
    assert (found["matchers"], found["comment"]) == (['job="b"'], ["maintenance"])
    assert columns(context, {"kind": "silences", "active": False})["id"] == []


def test_the_editor_is_told_receivers_and_labels(context: DatasourceContext) -> None:
    caller = cast("ResourceCaller", plugin())
    receivers = caller.call_resource(ResourceRequest(path="receivers"), context)
    assert receivers == {"receivers": ["nobody"]}
    labels = caller.call_resource(ResourceRequest(path="labels"), context)
    assert cast("JsonObject", labels["labels"])["job"] == ["a", "b"]
