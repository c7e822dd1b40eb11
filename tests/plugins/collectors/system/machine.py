"""A machine made of files: a /proc as Linux documents it, and psutil's answers beside it."""

from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

Mount = namedtuple("Mount", "device mountpoint fstype opts")  # noqa: PYI024 - as psutil answers
Usage = namedtuple("Usage", "total used free percent")  # noqa: PYI024 - as psutil answers
Times = namedtuple("Times", "user nice system idle iowait irq softirq steal guest guest_nice")  # noqa: PYI024 - as psutil answers
DiskIo = namedtuple("DiskIo", "read_count write_count read_bytes write_bytes read_time busy_time")  # noqa: PYI024 - as psutil answers
NetIo = namedtuple(  # noqa: PYI024 - as psutil answers
    "NetIo", "bytes_sent bytes_recv packets_sent packets_recv errin errout dropin dropout"
)
NetState = namedtuple("NetState", "isup duplex speed mtu")  # noqa: PYI024 - as psutil answers
Sensor = namedtuple("Sensor", "label current high critical")  # noqa: PYI024 - as psutil answers

GIB = 1_073_741_824
MEMINFO = """MemTotal:       16777216 kB
MemFree:         1048576 kB
MemAvailable:    4194304 kB
Active(anon):    8388608 kB
SwapTotal:       2097152 kB
SwapFree:        1048576 kB
HugePages_Total:       3
"""
STAT = """cpu  1 2 3 4
intr 500 1 2 3
ctxt 900
btime 1700000000
processes 77
procs_running 2
procs_blocked 1
"""
SOCKSTAT = "sockets: used 17\nTCP: inuse 1 orphan 0 tw 5 alloc 1 mem 0\n"


class Machine:
    """What psutil and /proc answer; change the fields between two checks."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.cores = [_times(user=10, system=5, idle=85), _times(user=20, idle=80)]
        self.mounts = [
            Mount("/dev/sda1", "/", "ext4", "rw,relatime"),
            Mount("/dev/sdb1", "/data", "xfs", "rw"),
            Mount("/dev/sr0", "/media", "udf", "ro"),
            Mount("proc", "/proc", "proc", "rw"),
            Mount("nas:/x", "/mnt/nas", "nfs4", "rw"),
        ]
        self.usage: dict[str, Any] = {
            "/": _usage(100, used=40),
            "/data": _usage(100, used=50),
            "/media": _usage(1, used=1),
        }
        self.process(1, "systemd", "S", ticks=10, pages=100)
        self.process(7, "post (gres)", "R", ticks=20, pages=900)
        for name, text in {
            "meminfo": MEMINFO,
            "stat": STAT,
            "net/sockstat": SOCKSTAT,
            "sys/fs/file-nr": "594\t0\t2466186\n",
        }.items():
            self.file(name, text)
        answers: dict[str, Callable[..., Any]] = {
            "cpu_times": lambda **_: self.cores,
            "getloadavg": lambda: (3.0, 2.0, 1.0),
            "disk_partitions": lambda **_: self.mounts,
            "disk_usage": lambda path: self.usage[path],
            "disk_io_counters": lambda **_: {
                "sda": DiskIo(1, 2, 3, 4, 5000, 6000),
                "sda1": DiskIo(1, 2, 3, 4, 5000, 6000),
            },
            "net_io_counters": lambda **_: {
                "eth0": NetIo(1, 2, 3, 4, 5, 6, 7, 8),
                "veth12": NetIo(1, 2, 3, 4, 5, 6, 7, 8),
            },
            "net_if_stats": lambda: {"eth0": NetState(True, 2, 1000, 1500)},
            "pids": lambda: [int(each.name) for each in root.iterdir() if each.name.isdigit()],
            "boot_time": lambda: 1_700_000_000.0,
            "sensors_temperatures": lambda: {
                "coretemp": [Sensor("Core 0", 51.5, 80.0, None), Sensor("", 40.0, None, 99.0)]
            },
        }
        monkeypatch.setattr(psutil, "PROCFS_PATH", str(root))
        for name, answer in answers.items():
            monkeypatch.setattr(psutil, name, answer, raising=False)

    def file(self, name: str, text: str) -> None:
        """Write a file below /proc."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def process(self, pid: int, name: str, state: str, *, ticks: int, pages: int) -> None:
        """Write a process; ``ticks`` is its CPU time, ``pages`` its memory."""
        # proc_pid_stat(5): state is field 3, utime 14, stime 15, num_threads 20, rss 24.
        fields = [state, *["0"] * 10, str(ticks), "0", *["0"] * 4, "2", *["0"] * 3, str(pages)]
        self.file(f"{pid}/stat", f"{pid} ({name}) {' '.join(fields)} 0 0 0\n")

    def spend(self, **seconds: float) -> None:
        """Let the first core spend time."""
        for mode, value in seconds.items():
            self.cores[0] = self.cores[0]._replace(**{mode: getattr(self.cores[0], mode) + value})


def _times(**modes: float) -> Any:
    return Times(**{name: float(modes.get(name, 0)) for name in Times._fields})


def _usage(gib: int, *, used: int) -> Any:
    return Usage(gib * GIB, used * GIB, (gib - used) * GIB, 0.0)
