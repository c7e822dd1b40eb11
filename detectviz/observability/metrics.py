"""Our own metrics, over all processes of this machine's deployment."""

import os

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY


def metrics_text() -> bytes:
    """Return the exposition text; with a multiprocess directory, summed over its processes."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # noqa: TID251 - prometheus_client's own switch
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library is untyped here
    return generate_latest(registry)
