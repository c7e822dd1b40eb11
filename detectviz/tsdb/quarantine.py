"""Setting damaged rows aside, with what is known of them, so that the rest can be used."""

import sqlite3

from detectviz.tsdb.integrity import KEYS, Damage


def set_aside(connection: sqlite3.Connection, damage: Damage, now_ms: int) -> None:
    """Move the row of a damage to the quarantine table; what is no row stays."""
    if damage.source_id is None:
        return
    key = KEYS.get(damage.source, "id")
    column = "labels" if damage.source == "series" else "data"
    copied = f"SELECT ?, ?, ?, ?, ?, ?, ?, ?, {column} FROM {damage.source} WHERE {key} = ?"  # noqa: S608 - our names
    connection.execute(
        "INSERT INTO quarantine (found_ms, source, source_id, tenant, part, min_ms, max_ms,"
        f" reason, data) {copied}",
        (
            now_ms,
            damage.source,
            damage.source_id,
            damage.tenant,
            damage.part,
            damage.min_ms,
            damage.max_ms,
            damage.reason,
            damage.source_id,
        ),
    )
    connection.execute(
        f"DELETE FROM {damage.source} WHERE {key} = ?",  # noqa: S608 - our names
        (damage.source_id,),
    )
