"""What one check reads of the machine: samples, and the numbers that are judged."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from detectviz.contracts.collector import Metric
from plugins.collectors.system.options import Options
from plugins.collectors.system.processes import Processes, process_metrics, read_processes

MODES: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_KIB: Final = 1024
_BITS_PER_MEGABIT_BYTE: Final = 125_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """One mounted file system; sizes in bytes. ``available`` is what users may still write."""

    device: str
    mount_point: str
    kind: str
    is_read_only: bool
    size: int
    free: int
    available: int

    @property
    def used_percent(self) -> float:
        """How full it is, as df counts: of what users may use at all."""
        used = self.size - self.free
        usable = used + self.available
        return 100 * used / usable if usable else 0.0


@dataclass(slots=True, kw_only=True)
class Reading:
    """What was read. Groups that are switched off or can't be read leave their fields empty.

    ``at`` is what is being read: where a reading hangs.
    """

    metrics: list[Metric] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    cores: int = 0
    cpu: Mapping[str, float] = field(default_factory=dict)
    load: tuple[float, float, float] | None = None
    memory: Mapping[str, float] = field(default_factory=dict)
    file_systems: list[FileSystem] = field(default_factory=list)
    processes: Processes | None = None
    boot_at: float | None = None
    at: str = ""


Source = Callable[[Options, Reading], Iterable[Metric]]


def read(options: Options, reading: Reading) -> Reading:
    """Fill ``reading`` with the groups wanted; one that can't be read costs only itself."""
    for name in options.groups:
        reading.at = name
        try:
            reading.metrics += _SOURCES[name](options, reading)
        except (OSError, psutil.Error, ValueError, NotImplementedError) as error:
            reading.problems[name] = str(error)[:200]
        success = float(name not in reading.problems)
        labels = {"collector": name}
        reading.metrics.append(_metric("scrape_collector_success", success, labels))
    reading.at = ""
    return reading


def _metric(name: str, value: float, labels: Mapping[str, str] | None = None) -> Metric:
    return Metric(name=f"node_{name}", value=float(value), labels=labels or {})


def _file(*parts: str) -> str:
    """Return a file below /proc, empty where there is none (another system)."""
    try:
        return Path(psutil.PROCFS_PATH, *parts).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _cpu(options: Options, reading: Reading) -> Iterator[Metric]:
    cores = psutil.cpu_times(percpu=True)
    reading.cores = len(cores)
    modes = [mode for mode in MODES if hasattr(cores[0], mode)]
    reading.cpu = {mode: sum(getattr(core, mode) for core in cores) for mode in modes}
    if not options.is_per_core:
        for mode, seconds in reading.cpu.items():
            yield _metric("cpu_seconds_total", seconds, {"mode": mode})
        return
    for index, core in enumerate(cores):
        for mode in modes:
            labels = {"cpu": str(index), "mode": mode}
            yield _metric("cpu_seconds_total", getattr(core, mode), labels)


def _load(options: Options, reading: Reading) -> Iterator[Metric]:
    reading.load = psutil.getloadavg()
    reading.cores = reading.cores or psutil.cpu_count() or 0
    for minutes, value in zip((1, 5, 15), reading.load, strict=True):
        yield _metric(f"load{minutes}", value)


def _memory(options: Options, reading: Reading) -> Iterator[Metric]:
    reading.memory = _meminfo(_file("meminfo")) or _portable_memory()
    for name, value in reading.memory.items():
        yield _metric(f"memory_{name}", value)


def _meminfo(text: str) -> dict[str, float]:
    """Return ``MemTotal_bytes`` and so on, named as node_exporter names them."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        parts = rest.split()
        if not parts:
            continue
        name = name.replace("(", "_").replace(")", "")
        if parts[-1] == "kB":
            found[f"{name}_bytes"] = float(parts[0]) * _KIB
        else:
            found[name] = float(parts[0])
    return found


def _portable_memory() -> dict[str, float]:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "MemTotal_bytes": memory.total,
        "MemFree_bytes": memory.free,
        "MemAvailable_bytes": memory.available,
        "SwapTotal_bytes": swap.total,
        "SwapFree_bytes": swap.free,
    }


def _file_systems(options: Options, reading: Reading) -> Iterator[Metric]:
    # The last one mounted over a point is the one that is seen there.
    mounted = {each.mountpoint: each for each in psutil.disk_partitions(all=True)}
    for point, each in mounted.items():
        if not options.wants_file_system(point, each.fstype):
            continue
        reading.at = f"the file system {point}"
        labels = {"device": each.device, "mountpoint": point, "fstype": each.fstype}
        try:
            usage = psutil.disk_usage(point)
        except OSError:
            yield _metric("filesystem_device_error", 1, labels)
            continue
        if not usage.total:
            continue
        found = FileSystem(
            device=each.device,
            mount_point=point,
            kind=each.fstype,
            is_read_only="ro" in each.opts.split(","),
            size=usage.total,
            free=usage.total - usage.used,
            available=usage.free,
        )
        reading.file_systems.append(found)
        yield _metric("filesystem_device_error", 0, labels)
        yield _metric("filesystem_size_bytes", found.size, labels)
        yield _metric("filesystem_free_bytes", found.free, labels)
        yield _metric("filesystem_avail_bytes", found.available, labels)
        yield _metric("filesystem_readonly", found.is_read_only, labels)


# Name at node_exporter, name at psutil, what one unit is in the metric's.
_DISK_COUNTERS: Final = (
    ("reads_completed_total", "read_count", 1.0),
    ("reads_merged_total", "read_merged_count", 1.0),
    ("read_bytes_total", "read_bytes", 1.0),
    ("read_time_seconds_total", "read_time", 0.001),
    ("writes_completed_total", "write_count", 1.0),
    ("writes_merged_total", "write_merged_count", 1.0),
    ("written_bytes_total", "write_bytes", 1.0),
    ("write_time_seconds_total", "write_time", 0.001),
    ("io_time_seconds_total", "busy_time", 0.001),
)
_NETWORK_COUNTERS: Final = (
    ("receive_bytes_total", "bytes_recv"),
    ("receive_packets_total", "packets_recv"),
    ("receive_errs_total", "errin"),
    ("receive_drop_total", "dropin"),
    ("transmit_bytes_total", "bytes_sent"),
    ("transmit_packets_total", "packets_sent"),
    ("transmit_errs_total", "errout"),
    ("transmit_drop_total", "dropout"),
)


def _disks(options: Options, reading: Reading) -> Iterator[Metric]:
    counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
    for device, counted in counters.items():
        if options.wants_disk(device):
            for name, field_name, factor in _DISK_COUNTERS:
                if hasattr(counted, field_name):
                    value = getattr(counted, field_name) * factor
                    yield _metric(f"disk_{name}", value, {"device": device})


def _network(options: Options, reading: Reading) -> Iterator[Metric]:
    states = psutil.net_if_stats()
    for device, counted in psutil.net_io_counters(pernic=True, nowrap=False).items():
        if not options.wants_interface(device):
            continue
        labels = {"device": device}
        for name, field_name in _NETWORK_COUNTERS:
            yield _metric(f"network_{name}", getattr(counted, field_name), labels)
        state = states.get(device)
        if state is not None:
            yield _metric("network_up", state.isup, labels)
            yield _metric("network_mtu_bytes", state.mtu, labels)
            if state.speed > 0:
                speed = state.speed * _BITS_PER_MEGABIT_BYTE
                yield _metric("network_speed_bytes", speed, labels)


def _processes(options: Options, reading: Reading) -> Iterator[Metric]:
    reading.processes = read_processes()
    yield from process_metrics(reading.processes)


def _file_descriptors(options: Options, reading: Reading) -> Iterator[Metric]:
    numbers = _file("sys", "fs", "file-nr").split()
    if numbers:
        yield _metric("filefd_allocated", float(numbers[0]))
        yield _metric("filefd_maximum", float(numbers[2]))


def _sockets(options: Options, reading: Reading) -> Iterator[Metric]:
    for line in (_file("net", "sockstat") + _file("net", "sockstat6")).splitlines():
        protocol, _, rest = line.partition(":")
        words = rest.split()
        for name, value in zip(words[::2], words[1::2], strict=True):
            yield _metric(f"sockstat_{protocol}_{name}", float(value))


def _temperatures(options: Options, reading: Reading) -> Iterator[Metric]:
    read_sensors = getattr(psutil, "sensors_temperatures", None)
    for chip, entries in (read_sensors() if read_sensors else {}).items():
        for index, entry in enumerate(entries, start=1):
            labels = {"chip": chip, "sensor": f"temp{index}"}
            yield _metric("hwmon_temp_celsius", entry.current, labels)
            if entry.high is not None:
                yield _metric("hwmon_temp_max_celsius", entry.high, labels)
            if entry.critical is not None:
                yield _metric("hwmon_temp_crit_celsius", entry.critical, labels)
            if entry.label:
                yield _metric("hwmon_sensor_label", 1, {**labels, "label": entry.label})


_STAT_NAMES: Final = {
    "btime": "boot_time_seconds",
    "ctxt": "context_switches_total",
    "intr": "intr_total",
    "processes": "forks_total",
    "procs_running": "procs_running",
    "procs_blocked": "procs_blocked",
}


def _stat(options: Options, reading: Reading) -> Iterator[Metric]:
    reading.boot_at = psutil.boot_time()
    lines = [line.split(None, 2) for line in _file("stat").splitlines()]
    found = {words[0]: float(words[1]) for words in lines if words[0] in _STAT_NAMES}
    for key, value in (found or {"btime": reading.boot_at}).items():
        yield _metric(_STAT_NAMES[key], value)


_SOURCES: Final[Mapping[str, Source]] = {
    "cpu": _cpu,
    "loadavg": _load,
    "meminfo": _memory,
    "filesystem": _file_systems,
    "diskstats": _disks,
    "netdev": _network,
    "processes": _processes,
    "filefd": _file_descriptors,
    "sockstat": _sockets,
    "hwmon": _temperatures,
    "stat": _stat,
}
