"""Private servers that keep series: VictoriaMetrics and Prometheus from Debian."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from detectviz.testing.services import find_program, free_port, http_is_ready, run_server

VICTORIA_METRICS_FLAGS = ("-maxLabelsPerTimeseries=65",)
_PROMETHEUS_CONFIG = """
global: {scrape_interval: 1h}
storage: {tsdb: {out_of_order_time_window: 3h}}
"""


@contextmanager
def victoria_metrics(
    folder: Path, *, port: int = 0, flags: Sequence[str] = VICTORIA_METRICS_FLAGS
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run VictoriaMetrics on a data folder; yield its port and process."""
    port = port or free_port()
    argv = [
        find_program("victoria-metrics") or "victoria-metrics",
        f"-storageDataPath={folder}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=1",
        *flags,
    ]
    with run_server(argv, ready=lambda: http_is_ready(port, "/health")) as process:
        yield port, process


@contextmanager
def prometheus(
    folder: Path, *, port: int = 0, flags: Sequence[str] = ()
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run Prometheus as a receiver of remote write; yield its port and process."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(_PROMETHEUS_CONFIG)
    argv = [
        find_program("prometheus") or "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--web.enable-admin-api",
        "--log.level=error",
        *flags,
    ]
    with run_server(argv, ready=lambda: http_is_ready(port, "/-/ready")) as process:
        yield port, process
