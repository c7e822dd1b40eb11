"""Rows are read from a real MariaDB by an account that may only read."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.records import MetricRecord, RowRecord
from detectviz.contracts.types import JsonObject
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from detectviz.testing.mariadb import MariadbServer
from detectviz.testing.services import free_port
from plugins.importers.mysql.importer import MysqlImporter

pytestmark = pytest.mark.services("mariadbd", "mariadb-install-db")


@pytest.fixture
def server(sql_server: MariadbServer) -> Iterator[MariadbServer]:
    sql_server.execute(
        "CREATE DATABASE stock",
        """CREATE TABLE stock.points
             (Id INT PRIMARY KEY, at DATETIME(3), host TEXT, used DECIMAL(10,2))""",
        """INSERT INTO stock.points SELECT 10 - seq, '2026-01-31 08:30:00.5' + INTERVAL seq SECOND,
             '50%', seq / 4 FROM stock.seq_1_to_7""",
        "GRANT SELECT ON stock.* TO writer",
    )
    yield sql_server
    sql_server.execute("REVOKE SELECT ON stock.* FROM writer", "DROP DATABASE stock")


def context(server: MariadbServer, **config: object) -> ImporterContext:
    options = {
        "address": f"db.test:{server.port}", "database": "stock", "user": "writer",
        "key_column": "id", **config,
    }  # fmt: skip
    given: JsonObject = options  # type: ignore[assignment]  # tests pass JSON
    connector = FakeConnector(addresses={"db.test": "127.0.0.1"})
    secrets: dict[str, object] = {"password": "c4n4ry-t0k3n"}
    return make_importer_context("mysql", given, secrets, connector=connector)  # type: ignore[arg-type]  # the same


class TestConformance(ImporterSuite):
    """A MariaDB from Debian, over TLS."""

    name = "mysql"

    @pytest.fixture
    def good_context(self, server: MariadbServer) -> ImporterContext:
        return context(server, table="points", tls_mode="verify-full", tls_ca=server.ca_pem)

    @pytest.fixture
    def bad_context(self, server: MariadbServer) -> ImporterContext:
        return context(server, table="points", database="mysql")


def test_a_query_with_signs_of_per_cent_goes_on_by_its_key(server: MariadbServer) -> None:
    query = "SELECT Id, at FROM points WHERE host LIKE '50%'"
    paged = replace(context(server, query=query, key_column="at"), batch_size=2)
    batches = list(MysqlImporter().read(paged))
    rows = [record for record in records_of(batches) if isinstance(record, RowRecord)]
    assert [row.values["Id"] for row in rows] == [9, 8, 7, 6, 5, 4, 3]
    assert batches[0].total == 7


def test_rows_become_samples(server: MariadbServer) -> None:
    options = {"table": "points", "as": "metrics", "value_columns": ["used"], "time_column": "at"}
    record = records_of(list(MysqlImporter().read(context(server, **options))))[-1]
    assert isinstance(record, MetricRecord)
    assert (record.timestamp_ms, record.value) == (1_769_848_201_500, 0.25)


def test_nothing_can_be_written(server: MariadbServer) -> None:
    query = "SELECT Id AS id FROM points) x; DELETE FROM points; -- "
    with pytest.raises(PluginError, match="refuses"):
        list(MysqlImporter().read(context(server, query=query)))


def test_a_server_that_is_not_there_may_be_tried_again(server: MariadbServer) -> None:
    lost = context(server, table="points", address=f"127.0.0.1:{free_port()}")
    with pytest.raises(PluginError, match="No connection") as refused:
        list(MysqlImporter().read(lost))
    assert not refused.value.permanent
