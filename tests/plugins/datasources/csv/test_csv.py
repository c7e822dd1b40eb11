"""CSV from URLs and from files."""

from base64 import b64encode
from pathlib import Path
from typing import cast

import pytest

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceContext,
    DatasourceSettings,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import PluginError
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    FakeConnector,
    FakeHttp,
    data_query,
    datasource_context,
    datasource_settings,
    http_response,
)
from detectviz.testing.datasources import DatasourceConformance
from detectviz.testing.plugins import built_in_plugins

PASSWORD = "reader-secret-71"
SIGNED = f"Basic {b64encode(f'reader:{PASSWORD}'.encode()).decode()}"
ROWS = [
    f"2026-01-15T11:{minute}:00Z,{host},{minute / 2}" for minute in range(40, 50) for host in "ab"
]
TABLE = "\n".join(["time,host,used", *ROWS])
GERMAN = "Tag;Größe;Nr\n15.01.2026 11:30;1.234,5;007\n15.01.2026 11:31;;008\n".encode("cp1252")


def answer(request: HttpRequest) -> HttpResponse:
    if dict(request.headers).get("Authorization") != SIGNED:
        return http_response(b"go away", status_code=401)
    if "missing" in request.url:
        return http_response(b"there is no report", status_code=410)
    return http_response(TABLE.encode(), content_type="text/csv")


class TestConformance(DatasourceConformance):
    name = "csv"
    speaks_http = True
    queries = (
        {"path": "report.csv"},
        {"path": "report.csv", "format": "time_series"},
        {"path": "report.csv", "text_columns": ["used"]},
    )
    wrong_queries = (
        ({"path": "missing"}, "there is no report"),
        ({"path": "a/../../b"}, "without . and .."),
    )
    wrong_secrets = {"basic_auth_password": "not-the-password"}

    @pytest.fixture
    def http(self) -> HttpClient:
        return FakeHttp(answer)

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return datasource_settings(
            "csv",
            url="http://files.test",
            basic_auth_user="reader",
            secrets={"basic_auth_password": PASSWORD},
        )


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "csv")


def files_of(folder: Path, body: bytes, **json_data: JsonValue) -> DatasourceContext:
    path = folder / "real.csv"
    path.write_bytes(body)
    connector = FakeConnector(files={"a report.csv": str(path)})
    settings = datasource_settings("csv", json_data=json_data)
    return datasource_context(settings, connector=connector)


def columns(context: DatasourceContext, model: JsonObject) -> dict[str, list[JsonValue]]:
    (frame,) = plugin().query(data_query("csv", model), context)
    return {field.name: list(field.values) for field in frame.fields}


def test_numbers_times_and_encodings_of_a_file_are_read(tmp_path: Path) -> None:
    context = files_of(tmp_path, GERMAN, delimiter=";", encoding="cp1252", decimal_comma=True)
    model: JsonObject = {
        "path": "a%20report.csv",
        "time_column": "Tag",
        "time_format": "%d.%m.%Y %H:%M",
        "text_columns": ["Nr"],
    }
    assert columns(context, model) == {
        "Tag": [END_MS - 30 * 60_000, END_MS - 29 * 60_000],
        "Größe": [1234.5, None],
        "Nr": ["007", "008"],
    }


def test_rows_outside_of_the_range_are_left_out_unless_told(tmp_path: Path) -> None:
    body = f"time,v\n{END_MS // 1000},1\n{END_MS // 1000 - 86_400},2\n".encode()
    context = files_of(tmp_path, body)
    assert columns(context, {"path": "a report.csv"})["v"] == [1.0]
    assert columns(context, {"path": "a report.csv", "in_range": False})["v"] == [1.0, 2.0]


def test_a_table_without_head_names_its_columns_by_number(tmp_path: Path) -> None:
    context = files_of(tmp_path, b"1,x\n2,y,z\n", has_header=False)
    assert columns(context, {"path": "a report.csv"}) == {
        "column 1": [1.0, 2.0],
        "column 2": ["x", "y"],
        "column 3": ["", "z"],
    }


def test_files_outside_of_the_folder_are_refused(tmp_path: Path) -> None:
    context = files_of(tmp_path, b"")
    with pytest.raises(PluginError, match="DETECTVIZ_DATASOURCE_FILES_DIR"):
        columns(context, {"path": "/etc/passwd"})
    with pytest.raises(PluginError, match="nothing in this file"):
        columns(context, {"path": "a report.csv"})


def test_the_editor_is_told_columns(tmp_path: Path) -> None:
    context = files_of(tmp_path, TABLE.encode())
    request = ResourceRequest(path="columns", parameters={"path": "a report.csv"})
    answered = cast("ResourceCaller", plugin()).call_resource(request, context)
    assert answered == {"columns": ["time", "host", "used"]}
