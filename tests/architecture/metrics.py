"""The table of our own metrics; `python -m tests.architecture.metrics` writes docs/metrics.md."""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import django
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import REGISTRY

from tests.architecture.sources import ROOT, python_files, text_of

PAGE = ROOT / "docs" / "metrics.md"
BEGIN = "<!-- the table is generated: python -m tests.architecture.metrics -->\n"
Row = tuple[str, str, str, str]


def metrics_table() -> str:
    """Return the table of every metric that the code declares."""
    rows = sorted({*_counted(), *_looked_up()})
    lines = ["| name | type | labels | meaning |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {labels} | {text} |" for name, kind, labels, text in rows]
    return "\n".join(lines) + "\n"


def declare_all() -> None:
    """Import every module that declares metrics."""
    for path in python_files("apps", "detectviz"):
        if "prometheus_client" in text_of(path) or "@scraped(" in text_of(path):
            import_module(".".join(path.with_suffix("").parts))


def _counted() -> Iterator[Row]:
    # The registry describes metrics without their labels; only the metrics themselves know them.
    for metric in REGISTRY._collector_to_names:
        if isinstance(metric, MetricWrapperBase) and metric._name.startswith("detectviz_"):
            suffix = "_total" if metric._type == "counter" else ""
            name = f"{metric._name}{suffix}"
            yield name, str(metric._type), _words(metric._labelnames), metric._documentation


def _looked_up() -> Iterator[Row]:
    from detectviz.observability.scrape import SOURCE_UP, sources  # noqa: PLC0415 - after Django

    for metric in {SOURCE_UP, *(one for source in sources.values() for one in source.metrics)}:
        kind = {"unknown": "untyped"}.get(metric.kind, metric.kind)
        yield metric.name, kind, _words(metric.labels), metric.help


def _words(labels: tuple[str, ...]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def main() -> None:
    """Write the table into the page."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")  # noqa: TID251 - Django reads it there
    django.setup()
    declare_all()
    text = PAGE.read_text(encoding="utf-8")
    Path(PAGE).write_text(text.partition(BEGIN)[0] + BEGIN + metrics_table(), encoding="utf-8")


if __name__ == "__main__":
    main()
