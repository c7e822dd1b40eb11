"""Our own metrics, over all processes of this machine's deployment."""

import os
from contextlib import suppress

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import REGISTRY

from detectviz.observability.scrape import ScrapedCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"

_scraped = CollectorRegistry()
_scraped.register(ScrapedCollector())


def metrics_text() -> bytes:
    """Return the exposition text; with a multiprocess directory, summed over its processes."""
    return generate_latest(_counted()) + generate_latest(_scraped)


def process_forget(pid: int) -> None:
    """Take away the live gauges of a process that has ended."""
    if MULTIPROCESS in os.environ:  # noqa: TID251 - prometheus_client's own switch
        with suppress(FileNotFoundError):
            mark_process_dead(pid)  # type: ignore[no-untyped-call]  # the library is untyped here


def _counted() -> CollectorRegistry:
    if MULTIPROCESS not in os.environ:  # noqa: TID251 - prometheus_client's own switch
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library is untyped here
    return registry
