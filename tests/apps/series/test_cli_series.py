import sqlite3
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import Sample
from detectviz.tsdb.opening import EMBEDDED_FILE
from detectviz.tsdb.repair import verify_file


@pytest.fixture
def path(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path
    store = EmbeddedStore(tmp_path / EMBEDDED_FILE)
    store.append("acme", [Sample({"__name__": "m"}, 1_700_000_000_000, 1.0)])
    store.close()
    return tmp_path / EMBEDDED_FILE


def run(*words: str) -> str:
    out = StringIO()
    call_command("series", *words, stdout=out)
    return out.getvalue()


def test_a_whole_store_is_called_so_and_copied(path: Path, tmp_path: Path) -> None:
    assert run("verify") == "The series store is whole.\n"
    run("snapshot", str(tmp_path / "copy.sqlite"))
    assert verify_file(tmp_path / "copy.sqlite") == ()
    with pytest.raises(CommandError, match="exists"):
        run("snapshot", str(tmp_path / "copy.sqlite"))


def test_damage_is_named_and_set_aside(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE log SET data = X'00'")
    connection.commit()
    connection.close()
    with pytest.raises(CommandError, match="1 damages"):
        run("verify")
    assert "set aside: log 1 of tenant acme" in run("repair")
    assert run("verify") == "The series store is whole.\n"


def test_without_a_file_there_is_nothing_to_do(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match="no embedded series store"):
        run("verify")
