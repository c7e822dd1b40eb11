"""What the runtime tells of itself: version, uptime, processes, leases, queues, lateness."""

import platform
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from prometheus_client import Histogram

import detectviz
from detectviz.clock import utc_now
from detectviz.observability.scrape import Reading, ScrapedMetric, scraped
from detectviz.runtime.models import Lease
from detectviz.runtime.processes import heartbeat_list
from detectviz.runtime.redis_client import redis_client

LATENESS_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
CELERY_QUEUES = ("collect", "evaluate", "notify", "jobs")
MOST_LEASES = 50
STARTED_AT = utc_now()
"""When this command was started: children are forked from it later."""

scheduler_lateness = Histogram(
    "detectviz_scheduler_lateness_seconds",
    "How late planned work was begun, by scheduler: beat (periodic tasks) or rules (rule groups).",
    ["scheduler"],
    buckets=LATENESS_BUCKETS_S,
)

INFO = ScrapedMetric(
    name="detectviz_info",
    help="Always 1; the labels say which build this is.",
    labels=("version", "build_time", "python_version"),
)
UPTIME = ScrapedMetric(
    name="detectviz_uptime_seconds", help="Seconds since the command that answers was started."
)
RELOADED = ScrapedMetric(
    name="detectviz_config_last_reload_timestamp",
    help="Unix time at which settings were read: at the start, as they are read only then.",
)
PROCESSES = ScrapedMetric(
    name="detectviz_processes", help="Living processes of the deployment.", labels=("role",)
)
LEASE_EPOCH = ScrapedMetric(
    name="detectviz_lease_epoch",
    help="Epoch of a lease; it grows with every change of its holder.",
    labels=("lease",),
)
LEASE_HELD = ScrapedMetric(
    name="detectviz_lease_held", help="1 while somebody holds the lease.", labels=("lease",)
)
BROKER_DEPTH = ScrapedMetric(
    name="detectviz_broker_queue_depth",
    help="Messages waiting in Redis (absent in the embedded size).",
    labels=("queue",),
)


@scraped("build", INFO, UPTIME, RELOADED)
def build_read() -> Iterator[Reading]:
    """Say what runs, and since when."""
    started_s = STARTED_AT.timestamp()
    yield INFO, (detectviz.__version__, _build_time(), platform.python_version()), 1.0
    yield UPTIME, (), utc_now().timestamp() - started_s
    yield RELOADED, (), started_s


@scraped("runtime", PROCESSES, LEASE_EPOCH, LEASE_HELD)
def runtime_read() -> Iterator[Reading]:
    """Count processes and show the leases."""
    now = utc_now()
    for role, count in Counter(process.role for process in heartbeat_list(now)).items():
        yield PROCESSES, (role,), float(count)
    for lease in Lease.objects.order_by("name")[:MOST_LEASES]:
        yield LEASE_EPOCH, (lease.name,), float(lease.epoch)
        yield LEASE_HELD, (lease.name,), float(lease.expires_at >= now)


@scraped("broker", BROKER_DEPTH)
def broker_read() -> Iterator[Reading]:
    """Measure the broker's queues."""
    if settings.IS_EMBEDDED:
        return
    client = redis_client(timeout_s=2)
    for queue in CELERY_QUEUES:
        yield BROKER_DEPTH, (queue,), float(client.llen(queue))


def _build_time() -> str:
    """Return when this installation's code was put in its place."""
    written_s = Path(detectviz.__file__).stat().st_mtime
    return datetime.fromtimestamp(written_s, UTC).isoformat(timespec="seconds")
