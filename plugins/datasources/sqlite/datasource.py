"""Queries of SQLite files."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final
from urllib.parse import quote

from detectviz.contracts.config import get_duration_s
from detectviz.contracts.datasource import DataQuery, DatasourceContext, Health, ResourceRequest
from detectviz.contracts.errors import ConfigurationError, PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.sql.tables import Column, make_frames, read_statement, require_columns
from detectviz.contracts.sql.watch import Watch
from detectviz.contracts.types import JsonObject
from plugins.datasources.sqlite.dialect import DIALECT

_STEPS: Final = 10_000
_LONGEST_VALUE_BYTES: Final = 16_777_216
_ALLOWED: Final = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_REFUSED_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer"})
_TABLES: Final = (
    "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
    " AND name NOT LIKE 'sqlite_%' ORDER BY name"
)
_COLUMNS: Final = "SELECT name, type FROM pragma_table_info(?)"


class SqliteDatasource:
    """Opens a file for reading alone, for each query anew."""

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the rows of one statement that reads."""
        statement = read_statement(query, DIALECT)
        watch = Watch(context)
        with _session(context, watch) as session:
            _guard(session)
            cursor = session.execute(statement.sql)
            columns = [Column(name=each[0]) for each in cursor.description or ()]
            require_columns(columns)
            return make_frames(statement, columns, cursor, context, check=watch.check)

    def check_health(self, context: DatasourceContext) -> Health:
        """Open the file and count its tables."""
        try:
            with _session(context, Watch(context)) as session:
                count = len(session.execute(_TABLES).fetchall())
        except PluginError as error:
            return Health(status="error", message=error.message)
        return Health(
            status="ok",
            message=f"The file can be read; it has {count} tables and views.",
            details={"version": sqlite3.sqlite_version, "tables": count},
        )

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``tables``, or the ``columns`` of the parameter ``table``."""
        with _session(context, Watch(context)) as session:
            if request.path == "tables":
                return {"tables": [{"name": row[0]} for row in session.execute(_TABLES)]}
            if request.path == "columns":
                rows = session.execute(_COLUMNS, (request.parameters.get("table", ""),))
                return {"columns": [{"name": row[0], "type": row[1]} for row in rows]}
        raise QueryError("There is no such resource; use tables or columns.", status=404)


@contextmanager
def _session(context: DatasourceContext, watch: Watch) -> Iterator[sqlite3.Connection]:
    """Yield a session on the file; what SQLite raises comes out as our errors."""
    path = context.settings.database or context.settings.url
    if not path:
        raise ConfigurationError("Name the file to read as database.", field="/database")
    uri = f"file:{quote(context.connector.file(path))}?mode=ro"
    busy_s = get_duration_s(context.settings.json_data, "busy_timeout") or 0.0
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None)
        with closing(connection) as session:
            session.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE_BYTES)
            session.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            session.execute("PRAGMA query_only = ON")
            session.execute("PRAGMA trusted_schema = OFF")
            session.set_progress_handler(lambda: watch.reason() is not None, _STEPS)
            yield session
    except sqlite3.Error as error:
        raise _translated(error, watch) from error
    except UnicodeDecodeError as error:
        raise QueryError("A text of the answer is no UTF-8; select hex(column).") from error


def _guard(session: sqlite3.Connection) -> None:
    """Let the session do nothing but read, whatever the statement is."""

    def authorise(action: int, *names: str | None) -> int:
        is_refused = action == sqlite3.SQLITE_FUNCTION and names[1] in _REFUSED_FUNCTIONS
        is_allowed = action in _ALLOWED and not is_refused
        return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY

    session.set_authorizer(authorise)


def _translated(error: sqlite3.Error, watch: Watch) -> PluginError:
    reason = watch.reason()
    if reason is not None:
        return reason
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return PluginError(f"The file cannot be read: {error}.")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR")):
        return PluginError(f"The file cannot be read now: {error}.")
    return QueryError(f"SQLite refuses the statement: {error}.")
