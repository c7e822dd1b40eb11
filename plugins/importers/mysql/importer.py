"""Rows of a table or query of MySQL and MariaDB."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from math import ceil
from typing import Any, Final

import pymysql

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_text
from detectviz.contracts.errors import NetworkError, PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_batches import Part, part_batches
from detectviz.contracts.records import Signal
from detectviz.contracts.row_records import RowMapping, row_mapping
from detectviz.contracts.sql.connections import TlsSettings, split_address, without_secrets
from detectviz.contracts.sql.keyset import key_after, keyed_part, rows_before, source_of

_PORT: Final = 3306
_PAGE: Final = 5_000
_CLIENT_ERRORS: Final = range(2000, 3000)
_PASSING: Final = frozenset({1040, 1041, 1053, 1152, 1203, 1205, 1213, 1226, 1317, 1969, 3024})
_ENCRYPTED: Final = ("require", "verify-ca", "verify-full")


class MysqlImporter:
    """Reads pages in the order of a key."""

    signals = frozenset({Signal.ROWS, Signal.METRICS, Signal.LOGS})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the rows after those stored; raise PluginError for what cannot be read."""
        mapping = row_mapping(context.config, now=context.now())
        source = source_of(context.config, _quoted(get_text(context.config, "table")))
        key = _quoted(get_text(context.config, "key_column"))
        total = _count(context, source, key) if mapping.kind != "metrics" else None
        yield from part_batches(
            _parts(context, source, key, mapping),
            batch_size=context.batch_size,
            is_cancelled=context.is_cancelled,
            total=total,
        )


def _count(context: ImporterContext, source: str, key: str) -> int:
    statement = f"SELECT COUNT(*) FROM {source} WHERE {key} IS NOT NULL"  # noqa: S608 - the operator's own
    _, ((count,),) = _ask(context, statement, ())
    return int(count)


def _parts(context: ImporterContext, source: str, key: str, mapping: RowMapping) -> Iterator[Part]:
    after, number = key_after(context.cursor), rows_before(context.cursor)
    size = min(max(context.batch_size, 1), _PAGE)
    while True:
        where = f"{key} IS NOT NULL" if after is None else f"{key} > %s"
        text = f"SELECT * FROM {source} WHERE {where} ORDER BY {key} LIMIT {size}"  # noqa: S608 - the operator's own
        # Signs of per cent of the operator's own mean themselves.
        text = text if after is None else text.replace("%", "%%").replace(f"{key} > %%s", where)
        names, rows = _ask(context, text, () if after is None else (after,))
        for found in rows:
            number += 1
            row = dict(zip(names, found, strict=True))
            part = keyed_part(row, mapping, key=_cell(row, context), number=number)
            after = key_after(part.cursor)
            yield part
        if len(rows) < size:
            return


def _cell(row: dict[str, Any], context: ImporterContext) -> object:
    """Return the key of a row; MySQL tells upper and lower case of columns not apart."""
    wanted = get_text(context.config, "key_column").lower()
    return next((value for name, value in row.items() if name.lower() == wanted), None)


def _ask(
    context: ImporterContext, statement: str, values: Sequence[object]
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """Return names and rows of one statement that reads."""
    with _session(context) as session, session.cursor() as cursor:
        cursor.execute(statement, values or None)
        names = [each[0] for each in cursor.description or ()]
        return names, cursor.fetchall()


@contextmanager
def _session(context: ImporterContext) -> Iterator["pymysql.Connection[pymysql.cursors.Cursor]"]:
    """Yield a session that cannot write; what the driver raises comes out as our errors."""
    try:
        connection = _connect(context)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
                cursor.execute("START TRANSACTION READ ONLY")
            yield connection
        finally:
            with suppress(pymysql.Error):
                connection.close()
    except pymysql.Error as error:
        raise _translated(error, context) from None


def _connect(context: ImporterContext) -> "pymysql.Connection[pymysql.cursors.Cursor]":
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
        init_command="SET SESSION time_zone = '+00:00'",
        ssl=tls.context(host) if tls.mode in _ENCRYPTED else None,
        ssl_disabled=tls.mode == "disable",
    )


def _translated(error: pymysql.Error, context: ImporterContext) -> PluginError:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    said = str(error.args[-1]) if error.args else type(error).__name__
    said = without_secrets(said, context.secrets)
    if code in _CLIENT_ERRORS or isinstance(error, pymysql.InterfaceError):
        return NetworkError(f"No connection: {said}", phase="connect")
    return PluginError(f"The server refuses: {said}", permanent=code not in _PASSING)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
