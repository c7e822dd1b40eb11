"""Pipelines for tests, written as the API writes them."""

from pathlib import Path
from typing import Any

from django.conf import settings

from apps.operations.models import Pipeline
from apps.orgs.models import Org
from detectviz.resources.registry import registry
from detectviz.resources.services import resource_write

SPEC: dict[str, Any] = {
    "title": "Rows",
    "source": {"importer": "csv", "config": {"path": "rows.csv"}},
    "destinations": [{"exporter": "json", "config": {"file": "rows.json"}}],
    "options": {"batch_size": 10},
}


def write_pipeline(org: Org, actor: Any = None, name: str = "rows", **spec: Any) -> Pipeline:
    """Return a pipeline from ``rows.csv`` to ``rows.json`` of a run, unless told otherwise."""
    kind = registry.by_kind("plugins/v1", "Pipeline")
    assert kind is not None
    row: Pipeline = resource_write(
        kind, org=org, actor=actor, name=name, spec={**SPEC, **spec}
    ).instance
    return row


def write_rows(org: Org, count: int, *, wrong: int = 0) -> Path:
    """Put ``count`` rows, the first ``wrong`` of them no samples, where importers find them."""
    folder = Path(settings.DATASOURCE_FILES_DIR) / org.name
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{'x' if at < wrong else at},web" for at in range(count)]
    path = folder / "rows.csv"
    path.write_text("\n".join(["value,site", *lines]) + "\n", encoding="utf-8")
    return path
