"""A session with a MySQL or MariaDB server, for one batch."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from typing import Final

import pymysql

from detectviz.contracts.config import get_text
from detectviz.contracts.errors import NetworkError, PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.sql.connections import TlsSettings, split_address, without_secrets

_PORT: Final = 3306
_CLIENT_ERRORS: Final = range(2000, 3000)
_PASSING: Final = frozenset({1040, 1041, 1053, 1152, 1203, 1205, 1213, 1226, 1317, 1969, 3024})
_ENCRYPTED: Final = ("require", "verify-ca", "verify-full")


@contextmanager
def session(context: ExporterContext) -> Iterator["pymysql.Connection[pymysql.cursors.Cursor]"]:
    """Yield a session in a transaction that is kept when the block ends without an error.

    Raise NetworkError when there is no connection, another PluginError for what is refused.
    """
    try:
        connection = _connect(context)
        try:
            connection.begin()
            yield connection
            connection.commit()
        finally:
            with suppress(pymysql.Error):
                connection.close()
    except pymysql.Error as error:
        raise _translated(error, context) from None


def reason(error: pymysql.Error, context: ExporterContext) -> str:
    """Return what the server said, without secrets."""
    said = str(error.args[-1]) if error.args else type(error).__name__
    return without_secrets(said, context.secrets)


def _connect(context: ExporterContext) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    config = context.config
    host, port = split_address(get_text(config, "address"), _PORT)
    tls = TlsSettings(mode=get_text(config, "tls_mode", "prefer"), ca=get_text(config, "tls_ca"))
    return pymysql.connect(
        host=context.connector.address(host, port),
        port=port,
        user=get_text(config, "user"),
        password=context.secrets.get("password", "").encode(),
        database=get_text(config, "database"),
        charset="utf8mb4",
        connect_timeout=max(1, ceil(context.timeout_s)),
        read_timeout=max(1, ceil(context.timeout_s)),
        write_timeout=max(1, ceil(context.timeout_s)),
        program_name="detectviz",
        init_command="SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'",
        ssl=tls.context(host) if tls.mode in _ENCRYPTED else None,
        ssl_disabled=tls.mode == "disable",
    )


def _translated(error: pymysql.Error, context: ExporterContext) -> PluginError:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    said = reason(error, context)
    if code in _CLIENT_ERRORS or isinstance(error, pymysql.InterfaceError):
        return NetworkError(f"No connection: {said}", phase="connect")
    return PluginError(f"The server refuses: {said}", permanent=code not in _PASSING)
