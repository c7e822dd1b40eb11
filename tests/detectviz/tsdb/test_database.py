"""The file beneath the store."""

from pathlib import Path

import pytest

from detectviz.tsdb import database as module
from detectviz.tsdb.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "file.sqlite", busy_timeout_s=5, synchronous="NORMAL")


def test_pages_no_longer_needed_go_back_to_the_disk_bit_by_bit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGES_KEPT", 8)
    monkeypatch.setattr(module, "_PAGES_GIVEN_BACK", 100)
    with database.writing() as connection:
        for seq in range(400):
            connection.execute("INSERT INTO log VALUES (?, 't', 1, 0, ?)", (seq, bytes(8000)))
    database.checkpoint()
    full = database.path.stat().st_size
    with database.writing() as connection:
        connection.execute("DELETE FROM log")
    sizes = []
    for _ in range(6):
        database.give_back_pages()
        database.checkpoint()
        sizes.append(database.path.stat().st_size)
    assert sizes[0] == full - 100 * 8192
    assert sizes[-1] < full / 4
    assert sizes[-1] == sizes[-2]  # what an eighth of the file needs is kept


def test_a_few_free_pages_are_kept(database: Database) -> None:
    with database.writing() as connection:
        connection.execute("INSERT INTO log VALUES (1, 't', 1, 0, ?)", (bytes(80_000),))
    with database.writing() as connection:
        connection.execute("DELETE FROM log")
    database.checkpoint()
    before = database.path.stat().st_size
    database.give_back_pages()
    database.checkpoint()
    assert database.path.stat().st_size == before
