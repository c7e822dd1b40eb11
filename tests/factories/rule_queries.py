"""Rules that ask datasources, for tests: a SQLite file with one row for each host."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.datasources.models import Datasource
from apps.orgs.models import Org
from tests.factories.datasources import make_datasource

LOADS = {
    "ref_id": "A",
    "datasource": "hosts",
    "model": {"sql": "SELECT host, load FROM hosts ORDER BY host"},
}


def threshold(above: float, *, until: float | None = None, of: str = "A") -> dict[str, Any]:
    """Return the expression B: over a number, and until it is below another one."""
    condition: dict[str, Any] = {"evaluator": {"type": "gt", "params": [above]}}
    if until is not None:
        condition["unloadEvaluator"] = {"type": "lt", "params": [until]}
    model = {"type": "threshold", "expression": of, "conditions": [condition]}
    return {"ref_id": "B", "datasource": "__expr__", "model": model}


def load_rule(**fields: Any) -> dict[str, Any]:
    """Return a rule that fires for each host with a load above 5."""
    return {
        "alert": "HighLoad",
        "queries": [LOADS, threshold(5)],
        "condition": "B",
        "labels": {"severity": "page"},
        **fields,
    }


def make_hosts(org: Org, folder: Path, name: str = "hosts") -> Datasource:
    """Return a datasource over the SQLite file of ``write_hosts``."""
    (folder / org.name).mkdir(parents=True, exist_ok=True)
    write_hosts(org, folder, {})
    return make_datasource(
        org,
        name,
        type="sqlite",
        url="hosts.db",
        database="hosts.db",
        json_data={},
        secure_json_data={},
    )


def write_hosts(org: Org, folder: Path, loads: Mapping[str, float | None]) -> None:
    """Write the load of each host."""
    with sqlite3.connect(folder / org.name / "hosts.db") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS hosts (host TEXT, load REAL)")
        connection.execute("DELETE FROM hosts")
        connection.executemany("INSERT INTO hosts VALUES (?, ?)", list(loads.items()))
    connection.close()
