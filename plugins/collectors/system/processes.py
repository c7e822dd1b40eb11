"""The processes of the machine: how many in which state, and who takes most."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from typing import Final

import psutil

from detectviz.contracts.collector import Metric

# Places in /proc/<pid>/stat behind the name, see proc_pid_stat(5).
_STATE, _USER_TICKS, _SYSTEM_TICKS, _THREADS, _RESIDENT_PAGES = 0, 11, 12, 17, 21
_LONGEST_STAT_BYTES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """States are the letters of ps; ``ticks`` is the CPU time of each process so far.

    ``largest`` names the process with most memory.
    """

    count: int
    threads: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    ticks: Mapping[int, int] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    largest: int | None = None

    def described(self, pid: int | None) -> str:
        """Return a process as a message names it, empty when it is unknown."""
        name = self.names.get(pid) if pid is not None else None
        return f"{name} (process {pid})" if name else ""

    def busiest_since(self, before: "Processes") -> int | None:
        """Return the process that used most CPU since ``before`` was read."""
        spent = {
            pid: ticks - before.ticks.get(pid, 0 if pid not in before.names else ticks)
            for pid, ticks in self.ticks.items()
        }
        busiest = max(spent, key=lambda pid: spent[pid], default=None)
        return busiest if busiest is not None and spent[busiest] > 0 else None


def read_processes() -> Processes:
    """Read all processes; where there is no /proc only their number is known."""
    root = str(psutil.PROCFS_PATH)
    pids = psutil.pids()
    states: Counter[str] = Counter()
    threads, largest, most_pages = 0, None, 0
    ticks: dict[int, int] = {}
    names: dict[int, str] = {}
    for pid in pids:
        read = _stat(f"{root}/{pid}/stat")
        if read is None:
            continue
        names[pid], fields = read
        states[fields[_STATE].decode()] += 1
        threads += int(fields[_THREADS])
        ticks[pid] = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
        pages = int(fields[_RESIDENT_PAGES])
        if pages > most_pages:
            largest, most_pages = pid, pages
    return Processes(
        count=len(pids),
        threads=threads,
        states=states,
        ticks=ticks,
        names=names,
        largest=largest,
    )


def process_metrics(processes: Processes) -> Iterator[Metric]:
    """Yield the metrics of node_exporter's collector of processes."""
    yield Metric(name="node_processes_pids", value=float(processes.count))
    if processes.states:
        yield Metric(name="node_processes_threads", value=float(processes.threads))
    for state, count in sorted(processes.states.items()):
        yield Metric(name="node_processes_state", value=float(count), labels={"state": state})


def _stat(path: str) -> tuple[str, list[bytes]] | None:
    """Return name and further fields, None when the process has ended."""
    try:
        # Neither buffer nor Path: this runs once per process.
        with FileIO(path) as file:
            content = file.read(_LONGEST_STAT_BYTES)
    except OSError:
        return None
    # The name may contain spaces and parentheses.
    head, _, rest = content.rpartition(b")")
    fields = rest.split(None, _RESIDENT_PAGES + 1)
    if len(fields) <= _RESIDENT_PAGES:
        return None
    return head.partition(b"(")[2].decode("utf-8", "replace"), fields
