"""What SQL Server is sent, and how it is connected to."""

from typing import Any, cast

import pymssql
import pytest

from detectviz.contracts.datasource import HealthChecker
from detectviz.contracts.errors import QueryError
from detectviz.testing.datasource_fakes import (
    FakeConnector,
    data_query,
    datasource_context,
    datasource_settings,
)
from detectviz.testing.services import free_port
from plugins.datasources.mssql.datasource import MssqlDatasource
from plugins.datasources.mssql.dialect import one_reading_statement
from tests.plugins.datasources.mssql.server import PASSWORD, Server


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("SELECT 1 -- DELETE\n", "SELECT 1  \n"),
        ("SELECT 1 /* a /* b */ DELETE */ + 1", "SELECT 1   + 1"),
        ("SELECT 'DELETE; --' AS [update], \"set\"", "SELECT 'DELETE; --' AS [update], \"set\""),
        ("SELECT 1; \n;", "SELECT 1  \n "),
    ],
)
def test_comments_are_left_out_and_quoted_words_stay(given: str, sent: str) -> None:
    assert one_reading_statement(given) == sent


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 --\rDELETE FROM x",
        "SELECT 1; ENABLE TRIGGER x ON y",
        "SELECT ']' AS [a]]b] drop table x",
        "SELECT 1 /* */ */ commit",
        "SELECT 1\u0085waitfor delay '1:0'",
    ],
)
def test_no_other_statement_is_sent(sql: str) -> None:
    with pytest.raises(QueryError):
        one_reading_statement(sql)


def test_the_address_allowed_is_connected_to_by_an_encrypted_read_only_session() -> None:
    server = Server(14330)
    settings = datasource_settings(
        "mssql",
        url="db.test:14330",
        user="reader",
        database="second",
        secrets={"password": PASSWORD},
    )
    connector = FakeConnector(addresses={"db.test": "192.0.2.7"})
    context = datasource_context(settings, connector=connector)
    plugin = MssqlDatasource(connect=server.connect)
    plugin.query(data_query("mssql", {"sql": "SELECT count(*) FROM x"}), context)
    options: dict[str, Any] = server.options
    assert (options["server"], options["encryption"]) == ("192.0.2.7", "require")
    assert options["read_only"] is True
    health = cast("HealthChecker", plugin).check_health(context)
    assert health.details["can_write"] is True


def test_the_client_library_knows_the_options() -> None:
    settings = datasource_settings("mssql", url=f"127.0.0.1:{free_port()}", user="reader")
    health = MssqlDatasource(connect=pymssql.connect).check_health(
        datasource_context(settings, timeout_s=2)
    )
    assert health.status == "error"
    assert "No connection" in health.message
