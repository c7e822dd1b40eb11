"""A connection's turn begins before its write statement or transaction and ends with it."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.sqlite3 import base

from detectviz.runtime.sqlite.operations import DatabaseOperations, utc_time
from detectviz.runtime.sqlite.turns import Turns

for declared in ("datetime", "timestamp"):
    sqlite3.register_converter(declared, utc_time)

_WRITES = ("BEGIN", "INSERT", "UPDATE", "DELETE", "REPLACE")


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes turns with the other writers of a database that is a file."""

    ops_class = DatabaseOperations

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        super().__init__(settings_dict, alias)
        self._turns: Turns | None = None
        self.execute_wrappers.append(self._execute_by_turns)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open the file and its turns; where no file can be beside it, do without."""
        connection = super().get_new_connection(conn_params)
        if not self.is_in_memory_db():
            path, timeout_s = Path(conn_params["database"]), conn_params.get("timeout", 5)
            with suppress(OSError):
                self._turns = Turns(path, timeout_s=timeout_s)
        return connection

    def _execute_by_turns(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 - Django's signature of an execute wrapper
        context: dict[str, Any],
    ) -> Any:
        if self._turns is None or self.connection.in_transaction or not sql.startswith(_WRITES):
            return execute(sql, params, many, context)
        self._turns.enter()
        try:
            return execute(sql, params, many, context)
        finally:
            self._leave()

    def _leave(self) -> None:
        """End the turn unless a transaction goes on."""
        if self._turns is not None and not self.connection.in_transaction:
            self._turns.leave()

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]  # the stubs lack it
        finally:
            self._leave()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]  # the stubs lack it
        finally:
            self._leave()

    def _close(self) -> None:
        turns, self._turns = self._turns, None
        try:
            super()._close()  # type: ignore[misc]  # the stubs lack it
        finally:
            if turns is not None:
                turns.close()
