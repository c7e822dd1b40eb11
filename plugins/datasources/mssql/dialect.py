"""How SQL Server writes points in time, and what a batch of it may hold."""

from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.errors import QueryError
from detectviz.contracts.sql.dialect import Dialect, whole_seconds
from detectviz.contracts.sql.lexis import Lexis, tokens

# Every other statement that needs no semicolon before it begins with, or holds, one of these. All
# are reserved words of Transact-SQL, so none of them can be a name unless it is quoted.
_OTHER_STATEMENTS: Final = frozenset(
    {
        "ALTER", "BACKUP", "BEGIN", "BREAK", "BULK", "CHECKPOINT", "CLOSE", "COMMIT", "CONTINUE",
        "CREATE", "DBCC", "DEALLOCATE", "DECLARE", "DELETE", "DENY", "DROP", "DUMP", "EXEC",
        "EXECUTE", "GOTO", "GRANT", "IF", "INSERT", "INTO", "KILL", "LOAD", "MERGE", "OPEN",
        "OPENDATASOURCE", "OPENQUERY", "OPENROWSET", "PRINT", "RAISERROR", "RECONFIGURE",
        "RESTORE", "RETURN", "REVERT", "REVOKE", "ROLLBACK", "SAVE", "SET", "SETUSER", "SHUTDOWN",
        "TRIGGER", "TRUNCATE", "UPDATE", "UPDATETEXT", "USE", "WAITFOR", "WHILE", "WRITETEXT",
    }
)  # fmt: skip


def _timestamp(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"'{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z'"


def _epoch(column: str) -> str:
    return f"DATEDIFF_BIG(second, '1970-01-01', {column})"


def _group(column: str, step_ms: int) -> str:
    return _epoch_group(_epoch(column), step_ms)


def _epoch_group(column: str, step_ms: int) -> str:
    step_s = whole_seconds(step_ms)
    return f"FLOOR(({column})/{step_s})*{step_s}"


DIALECT: Final = Dialect(
    timestamp=_timestamp,
    epoch=_epoch,
    group=_group,
    epoch_group=_epoch_group,
    alias="[time]",
    reading_words=("SELECT", "WITH"),
    lexis=Lexis(name_quotes=(('"', '"'), ("[", "]")), has_nested_comments=True),
)


def one_reading_statement(sql: str) -> str:
    """Return ``sql`` without its comments; raise QueryError where it holds more than reading.

    SQL Server prepares whole batches, so nothing of it refuses a second command. Comments are
    left out of what is sent, so that nothing can hide in one that ends elsewhere for the server.
    """
    text = sql.replace("\r\n", "\n").replace("\r", "\n")
    kept: list[str] = []
    is_ended = False
    for token in tokens(text, DIALECT.lexis):
        if token.kind == "word" and token.text.upper() in _OTHER_STATEMENTS:
            word = token.text.upper()
            raise QueryError(f"Only one statement that reads is sent; take out {word}.")
        is_blank = token.kind == "comment" or not token.text.strip()
        if is_ended and not is_blank and token.text != ";":
            raise QueryError("Only one statement is sent; take out what follows the semicolon.")
        is_ended = is_ended or token.text == ";"
        kept.append(" " if token.kind == "comment" or token.text == ";" else token.text)
    return "".join(kept)
