"""Records become rows of a real MariaDB, each once."""

from typing import Any

import pymysql
import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import MetricRecord, RowRecord
from detectviz.contracts.types import JsonObject
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.exporters import ExporterSuite, make_exporter_context
from detectviz.testing.mariadb import MariadbServer
from detectviz.testing.records import NOW_MS, make_row
from detectviz.testing.services import free_port
from plugins.exporters.mysql.exporter import MysqlExporter

pytestmark = pytest.mark.services("mariadbd", "mariadb-install-db")
SECRET = "c4n4ry-t0k3n"


def context(
    server: MariadbServer, batch_id: str = "b1", password: str = SECRET, **config: str
) -> ExporterContext:
    options: JsonObject = {
        "address": f"db.test:{server.port}", "database": "flow", "user": "writer", **config
    }  # fmt: skip
    connector = FakeConnector(addresses={"db.test": "127.0.0.1"})
    return make_exporter_context(
        "mysql", options, {"password": password}, connector=connector, batch_id=batch_id
    )


def rows(server: MariadbServer, statement: str) -> list[Any]:
    session = pymysql.connect(
        host="127.0.0.1", port=server.port, user="root", database="flow", ssl_disabled=True
    )
    with session, session.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.fixture(autouse=True)
def _empty(sql_server: MariadbServer) -> None:
    sql_server.execute("DROP DATABASE flow", "CREATE DATABASE flow CHARACTER SET utf8mb4")


class TestConformance(ExporterSuite):
    """A MariaDB from Debian, over TLS."""

    name = "mysql"

    @pytest.fixture
    def good_context(self, sql_server: MariadbServer) -> ExporterContext:
        self._server = sql_server
        return context(sql_server, tls_mode="verify-full", tls_ca=sql_server.ca_pem)

    @pytest.fixture
    def bad_context(self, sql_server: MariadbServer) -> ExporterContext:
        return context(sql_server, database="mysql")

    def stored(self) -> int:
        tables = [row[0] for row in rows(self._server, "SHOW TABLES")]
        counts = (rows(self._server, f"SELECT count(*) FROM `{name}`") for name in tables)
        return sum(found[0][0] for found in counts)


def test_a_batch_written_again_is_there_once(sql_server: MariadbServer) -> None:
    for batch_id in ("b1", "b1", "b2"):
        MysqlExporter().write([make_row(1), make_row(2)], context(sql_server, batch_id, table="t"))
    found = rows(sql_server, "SELECT _batch_id, _number, name, ratio, is_new, note FROM t")
    assert found == [
        (batch_id, number, f"row {number}", 0.5, 1, None)
        for batch_id in ("b1", "b2")
        for number in (1, 2)
    ]


def test_a_row_the_server_refuses_is_named_and_the_others_written(
    sql_server: MariadbServer,
) -> None:
    first = context(sql_server, "b1", table="t")
    MysqlExporter().write([RowRecord(values={"n": 1})], first)
    batch = [RowRecord(values={"n": value}) for value in (2, "many", 3)]
    report = MysqlExporter().write(batch, context(sql_server, "b2", table="t"))
    assert (report.written, [error.place for error in report.errors]) == (2, ["record 2"])
    assert rows(sql_server, "SELECT n FROM t ORDER BY n") == [(1,), (2,), (3,)]


def test_what_is_no_number_in_sql_is_null(sql_server: MariadbServer) -> None:
    samples = [
        MetricRecord(labels={"__name__": "x"}, timestamp_ms=NOW_MS, value=value)
        for value in (float("nan"), 2.0)
    ]
    MysqlExporter().write(samples, context(sql_server))
    assert rows(sql_server, "SELECT time, value FROM metrics") == [
        ("2026-01-31T08:30:00.000Z", None),
        ("2026-01-31T08:30:00.000Z", 2.0),
    ]


def test_a_server_that_is_not_there_may_be_tried_again(sql_server: MariadbServer) -> None:
    lost = context(sql_server, address=f"127.0.0.1:{free_port()}")
    with pytest.raises(PluginError, match="No connection") as refused:
        MysqlExporter().write([make_row()], lost)
    assert not refused.value.permanent


def test_a_wrong_password_is_for_good(sql_server: MariadbServer) -> None:
    with pytest.raises(PluginError, match="Access denied") as refused:
        MysqlExporter().write([make_row()], context(sql_server, password="wrong-canary-2"))
    assert refused.value.permanent
    assert "wrong-canary-2" not in str(refused.value)
