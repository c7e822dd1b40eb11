"""The system collector: on a machine made of files, and on the one the tests run on."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from detectviz.contracts.collector import CheckResult, CollectorContext
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.types import CheckState, PluginKind
from detectviz.testing.networks import BadNetwork
from detectviz.testing.plugins import checked_config
from plugins.collectors.system.options import Options
from plugins.collectors.system.system import SystemCollector
from tests.plugins.collectors.system.machine import Machine, Mount, Usage

FindMetric = Callable[..., float | None]
UP, DEGRADED, DOWN = CheckState.UP, CheckState.DEGRADED, CheckState.DOWN
NOW = datetime(2023, 11, 15, tzinfo=UTC)


class Monitor:
    """One monitor that is checked again and again."""

    def __init__(self) -> None:
        self.collector = SystemCollector()
        self.memory: dict[str, object] = {}

    async def state(self) -> CheckState:
        try:
            return (await self.check()).state
        except PluginError:
            return CheckState.UNKNOWN

    async def check(self, **config: Any) -> CheckResult:
        checked = checked_config(PluginKind.COLLECTOR, "system", config)
        context = CollectorContext(
            monitor="host",
            config=checked.config,
            secrets={},
            timeout_s=1.0,
            network=BadNetwork("hang"),
            now=lambda: NOW,
            monotonic=time.monotonic,
            logger=logging.getLogger("tests"),
            memory=self.memory,
        )
        return await self.collector.check(context)


@pytest.fixture
def monitor() -> Monitor:
    return Monitor()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


async def test_metrics_have_the_names_of_node_exporter(
    machine: Machine, monitor: Monitor, metric_of: FindMetric
) -> None:
    result = await monitor.check()
    assert result.state is UP, result.message
    gib = 1_073_741_824
    root = {"device": "/dev/sda1", "mountpoint": "/", "fstype": "ext4"}
    for name, labels, value in (
        ("node_cpu_seconds_total", {"cpu": "0", "mode": "system"}, 5.0),
        ("node_cpu_seconds_total", {"cpu": "1", "mode": "idle"}, 80.0),
        ("node_load1", {}, 3.0),
        ("node_load5", {}, 2.0),
        ("node_load15", {}, 1.0),
        ("node_memory_MemAvailable_bytes", {}, 4.0 * gib),
        ("node_memory_Active_anon_bytes", {}, 8.0 * gib),
        ("node_memory_HugePages_Total", {}, 3.0),
        ("node_filesystem_size_bytes", root, 100.0 * gib),
        ("node_filesystem_free_bytes", root, 60.0 * gib),
        ("node_filesystem_avail_bytes", root, 60.0 * gib),
        ("node_filesystem_readonly", {"mountpoint": "/media"}, 1.0),
        ("node_disk_reads_completed_total", {"device": "sda"}, 1.0),
        ("node_disk_written_bytes_total", {"device": "sda"}, 4.0),
        ("node_disk_read_time_seconds_total", {"device": "sda"}, 5.0),
        ("node_disk_io_time_seconds_total", {"device": "sda"}, 6.0),
        ("node_network_transmit_bytes_total", {"device": "eth0"}, 1.0),
        ("node_network_receive_bytes_total", {"device": "eth0"}, 2.0),
        ("node_network_receive_drop_total", {"device": "eth0"}, 7.0),
        ("node_network_speed_bytes", {"device": "eth0"}, 125_000_000.0),
        ("node_network_up", {"device": "eth0"}, 1.0),
        ("node_processes_pids", {}, 2.0),
        ("node_processes_threads", {}, 4.0),
        ("node_processes_state", {"state": "R"}, 1.0),
        ("node_filefd_allocated", {}, 594.0),
        ("node_filefd_maximum", {}, 2_466_186.0),
        ("node_sockstat_sockets_used", {}, 17.0),
        ("node_sockstat_TCP_tw", {}, 5.0),
        ("node_hwmon_temp_celsius", {"chip": "coretemp", "sensor": "temp1"}, 51.5),
        ("node_hwmon_temp_crit_celsius", {"sensor": "temp2"}, 99.0),
        ("node_hwmon_sensor_label", {"label": "Core 0"}, 1.0),
        ("node_boot_time_seconds", {}, 1_700_000_000.0),
        ("node_context_switches_total", {}, 900.0),
        ("node_intr_total", {}, 500.0),
        ("node_forks_total", {}, 77.0),
        ("node_procs_blocked", {}, 1.0),
        ("node_scrape_collector_success", {"collector": "cpu"}, 1.0),
    ):
        assert metric_of(result, name, **labels) == value, name


async def test_patterns_leave_out_file_systems_disks_and_interfaces(
    machine: Machine, monitor: Monitor, metric_of: FindMetric
) -> None:
    usual = await monitor.check()
    points = {each.labels["mountpoint"] for each in usual.metrics if "mountpoint" in each.labels}
    assert points == {"/", "/data", "/media"}
    assert metric_of(usual, "node_disk_read_bytes_total", device="sda1") is None
    assert metric_of(usual, "node_network_up", device="veth12") is None
    chosen = await monitor.check(
        mount_points_include="^/data$", disk_device_exclude="", network_device_exclude="^eth"
    )
    points = {each.labels["mountpoint"] for each in chosen.metrics if "mountpoint" in each.labels}
    assert points == {"/data"}
    assert metric_of(chosen, "node_disk_read_bytes_total", device="sda1") == 3.0
    assert metric_of(chosen, "node_network_receive_bytes_total", device="eth0") is None
    assert metric_of(chosen, "node_network_receive_bytes_total", device="veth12") == 2.0
    (one,) = {
        each.labels["mountpoint"]
        for each in (await monitor.check(fs_types_include="xfs")).metrics
        if "mountpoint" in each.labels
    }
    assert one == "/data"


async def test_only_the_groups_wanted_are_read(machine: Machine, monitor: Monitor) -> None:
    result = await monitor.check(collectors=["loadavg"])
    names = {each.name for each in result.metrics}
    assert names == {"node_load1", "node_load5", "node_load15", "node_scrape_collector_success"}


async def test_cores_are_summed_when_wanted(machine: Machine, monitor: Monitor) -> None:
    result = await monitor.check(collectors=["cpu"], cpu_per_core=False)
    found = {each.labels["mode"]: each.value for each in result.metrics if "mode" in each.labels}
    assert (found["user"], found["idle"]) == (30.0, 165.0)
    assert all("cpu" not in each.labels for each in result.metrics)


@pytest.mark.parametrize(
    ("config", "state", "message"),
    [
        ({"disk_degraded_percent": 45}, DEGRADED, "/data is 50.0 % full (50.0 GiB left), above 45"),
        (
            {"disk_degraded_percent": 30, "disk_down_percent": 45},
            DOWN,
            "/data is 50.0 % full (50.0 GiB left), above 45 %",
        ),
        (
            {"disk_degraded_percent": 10},
            DEGRADED,
            "GiB left), above 10 %; / is 40.0 % full (60.0 GiB left), above 10 %",
        ),
        (
            {"memory_degraded_percent": 70},
            DEGRADED,
            "Memory 75.0 % in use (4.0 GiB available), most by post (gres) (process 7), above 70 %",
        ),
        ({"memory_down_percent": 74.5}, DOWN, "above 74.5 %"),
        ({"swap_degraded_percent": 40}, DEGRADED, "Swap 50.0 % in use, above 40 %"),
        ({"load_down_per_core": 0.9}, DOWN, "Load 1.00 per core (2.00 on 2 cores), above 0.9"),
        ({"load_down_per_core": 1}, UP, "Load 2.00 on 2 cores, memory 75 %, /media 100 % full"),
        ({"disk_degraded_percent": None, "disk_down_percent": None}, UP, "up for 1h46m"),
    ],
)
async def test_a_threshold_names_the_culprit(
    machine: Machine, monitor: Monitor, config: dict[str, Any], state: CheckState, message: str
) -> None:
    result = await monitor.check(**config)
    assert (result.state, message in result.message) == (state, True), result.message


async def test_the_cpu_is_judged_from_the_second_check_on(
    machine: Machine, monitor: Monitor
) -> None:
    config = {"cpu_degraded_percent": 50, "cpu_down_percent": 95}
    assert (await monitor.check(**config)).state is UP
    machine.spend(user=6, system=2, iowait=1, idle=1)
    machine.process(7, "post (gres)", "R", ticks=25, pages=900)
    machine.process(8, "new", "R", ticks=700, pages=1)
    second = await monitor.check(**config)
    assert second.state is DEGRADED
    assert second.message == ("CPU 80.0 % busy, mostly user, most by new (process 8), above 50 %")
    machine.spend(idle=10)
    third = await monitor.check(**config)
    assert third.state is UP
    assert third.message.startswith("CPU 0 %, load 2.00")


async def test_many_full_file_systems_are_told_briefly(machine: Machine, monitor: Monitor) -> None:
    for number in range(40):
        point = f"/{'x' * 300}{number}"
        machine.mounts.append(Mount("dev", point, "ext4", "rw"))
        machine.usage[point] = Usage(100, 99, 1, 99.0)
    result = await monitor.check()
    assert result.state is DOWN
    assert result.message.endswith("; 35 more")
    assert len(result.message) < 1_000


async def test_a_group_that_cannot_be_read_costs_only_itself(
    machine: Machine, monitor: Monitor, monkeypatch: pytest.MonkeyPatch, metric_of: FindMetric
) -> None:
    def fail(**_: object) -> None:
        raise PermissionError("not for you")

    monkeypatch.setattr(psutil, "disk_io_counters", fail)
    result = await monitor.check()
    assert metric_of(result, "node_scrape_collector_success", collector="diskstats") == 0.0
    assert result.evidence["not_read"] == {"diskstats": "not for you"}
    assert metric_of(result, "node_load1") == 3.0


async def test_a_file_system_with_an_error_is_marked(
    machine: Machine, monitor: Monitor, monkeypatch: pytest.MonkeyPatch, metric_of: FindMetric
) -> None:
    def usage(path: str) -> Any:
        if path == "/data":
            raise OSError("stale handle")
        return machine.usage[path]

    monkeypatch.setattr(psutil, "disk_usage", usage)
    result = await monitor.check()
    assert metric_of(result, "node_filesystem_device_error", mountpoint="/data") == 1.0
    assert metric_of(result, "node_filesystem_device_error", mountpoint="/") == 0.0


async def test_a_file_system_that_hangs_is_named_and_asked_once(
    machine: Machine, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, asked = threading.Event(), threading.Event()

    def hang(path: str) -> Any:
        asked.set()
        released.wait(5)
        return machine.usage[path]

    monkeypatch.setattr(psutil, "disk_usage", hang)

    check = asyncio.ensure_future(monitor.check())
    await asyncio.to_thread(asked.wait, 5)
    check.cancel()
    with pytest.raises(PluginError, match="hangs at the file system /; "):
        await monitor.check()
    released.set()
    async with asyncio.timeout(5):
        while await monitor.state() is not UP:  # noqa: ASYNC110 - the thread has no event to await
            await asyncio.sleep(0.01)


def test_a_pattern_that_is_none_names_its_field() -> None:
    with pytest.raises(ConfigurationError) as raised:
        Options.read({"mount_points_exclude": "("})
    assert raised.value.field == "/mount_points_exclude"


async def test_this_machine_is_read_quickly(monitor: Monitor, metric_of: FindMetric) -> None:
    durations = []
    for _ in range(5):
        result = await monitor.check()
        durations.append(result.duration_s or 1.0)
    assert result.evidence["not_read"] == {}
    assert metric_of(result, "node_filesystem_size_bytes", mountpoint="/")
    assert metric_of(result, "node_memory_MemTotal_bytes") == psutil.virtual_memory().total
    assert (metric_of(result, "node_processes_pids") or 0) > 1
    assert abs((metric_of(result, "node_boot_time_seconds") or 0) - psutil.boot_time()) <= 1
    # A generous bound for a busy machine; a quiet one needs about 3 ms.
    assert min(durations) < 0.05
