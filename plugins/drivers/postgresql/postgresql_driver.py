"""One connection to PostgreSQL, kept to be asked."""

from dataclasses import dataclass
from typing import Any

import psycopg

from detectviz.contracts.driver import DriverContext, DriverHandle
from detectviz.contracts.errors import ConfigurationError, NetworkError

# Class 28: wrong user or password; 3D: there is no such database. Waiting helps neither.
_FINAL = ("28", "3D")


class PostgreSqlDriver:
    """Reaches a PostgreSQL server."""

    def open(self, context: DriverContext) -> DriverHandle:
        """Connect once."""
        handle = _Handle(str(context.config["url"]), context.timeout_s)
        handle.check()
        return handle


@dataclass(slots=True)
class _Handle:
    url: str
    timeout_s: float
    connection: Any = None

    def check(self) -> str:
        try:
            if self.connection is None or self.connection.closed:
                seconds = max(round(self.timeout_s), 1)
                self.connection = psycopg.connect(
                    self.url, autocommit=True, connect_timeout=seconds
                )
            row = self.connection.execute("SHOW server_version").fetchone()
        except psycopg.Error as error:
            self.close()
            said = str(error).strip().partition("\n")[0]
            if (error.sqlstate or "").startswith(_FINAL) or _is_final(said):
                raise ConfigurationError(said, field="/url") from error
            raise NetworkError(said, phase="connect") from error
        return f"PostgreSQL {row[0]}"

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


def _is_final(said: str) -> bool:
    """Say whether a refused connection, which carries no state, is one that stays refused."""
    is_missing = "does not exist" in said and ("database" in said or "role" in said)
    return is_missing or "authentication failed" in said or "invalid connection" in said
