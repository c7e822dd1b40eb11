"""Before a statement, bring ``detectviz.org`` in line with the context it is issued from."""

from collections.abc import Callable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from detectviz.tenancy.context import current_org_id

_SET = "SELECT set_config('detectviz.org', %s, false)"


class DatabaseWrapper(base.DatabaseWrapper):
    """Remembers what was sent, so a statement is added only when the org changes.

    The setting belongs to the session, not to the transaction, for most statements run outside of
    one. PostgreSQL takes it back with the transaction or savepoint it was sent in; after a rollback
    it is therefore unknown and sent anew. A new session has none.
    """

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        super().__init__(settings_dict, alias)
        self._org_sent: str | None = ""  # None: not known
        self.execute_wrappers.append(self._execute_in_scope)

    def init_connection_state(self) -> None:
        """Begin a session, which has no org yet."""
        self._org_sent = ""
        super().init_connection_state()

    def org_settle(self) -> None:
        """Send the org of the context now, without waiting for a statement.

        A connection that can't be told is closed: closed, it carries nothing to anybody.
        """
        if self.connection is None:
            return
        try:
            self._send_org()
        except DatabaseError:
            self.close()

    def _execute_in_scope(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 - Django's signature of an execute wrapper
        context: dict[str, Any],
    ) -> Any:
        self._send_org()
        return execute(sql, params, many, context)

    def _send_org(self) -> None:
        org_id = current_org_id()
        wanted = "" if org_id is None else str(org_id)
        # In a failed transaction nothing runs but its rollback, and that makes us send anew.
        if wanted == self._org_sent or self._has_failed():
            return
        with self.wrap_database_errors:
            self.connection.execute(_SET, [wanted])
        self._org_sent = wanted

    def _has_failed(self) -> bool:
        return bool(self.connection.info.transaction_status == TransactionStatus.INERROR)

    def _commit(self) -> None:
        if self.connection is not None and self._has_failed():
            self._org_sent = None  # the server answers this COMMIT by rolling back
        super()._commit()  # type: ignore[misc]  # the stubs lack it

    def _rollback(self) -> None:
        self._org_sent = None
        super()._rollback()  # type: ignore[misc]  # the stubs lack it

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]  # the stubs lack it
        self._org_sent = None
