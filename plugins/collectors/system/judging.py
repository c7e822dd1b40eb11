"""Whether what was read is well, and who is to blame when it is not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from detectviz.contracts.config import get_number
from detectviz.contracts.types import CheckState, JsonObject
from plugins.collectors.system.reading import Reading

Finding = tuple[CheckState, str]
_GIB: Final = 1_073_741_824
_IDLE: Final = ("idle", "iowait")


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuUse:
    """Percent of all cores since the last check, and the mode that took most of it."""

    busy_percent: float
    mode: str


def cpu_use(reading: Reading, before: Reading | None) -> CpuUse | None:
    """Return what the CPU did since ``before``, None when that is not known."""
    if before is None or not reading.cpu or not before.cpu:
        return None
    spent = {mode: max(0.0, value - before.cpu[mode]) for mode, value in reading.cpu.items()}
    total = sum(spent.values())
    busy = {mode: value for mode, value in spent.items() if mode not in _IDLE}
    if total <= 0 or not busy:
        return None
    mode = max(busy, key=lambda each: busy[each])
    return CpuUse(busy_percent=100 * sum(busy.values()) / total, mode=mode)


def memory_percent(reading: Reading) -> float | None:
    """Return the percentage of memory that is not available."""
    return _used_percent(reading, "MemTotal_bytes", "MemAvailable_bytes")


def swap_percent(reading: Reading) -> float | None:
    """Return the percentage of swap in use, None where there is no swap."""
    return _used_percent(reading, "SwapTotal_bytes", "SwapFree_bytes")


def find_problems(
    config: JsonObject, reading: Reading, before: Reading | None
) -> Iterator[Finding]:
    """Yield what is above its threshold, with the culprit."""
    yield from _cpu(config, reading, before)
    yield from _load(config, reading)
    yield from _memory(config, reading)
    # What is mounted read-only is full by nature.
    writable = [each for each in reading.file_systems if not each.is_read_only]
    for each in sorted(writable, key=lambda each: -each.used_percent):
        left = f"{each.available / _GIB:.1f} GiB left"
        said = f"{each.mount_point} is {each.used_percent:.1f} % full ({left})"
        yield from _judged(config, "disk", "percent", each.used_percent, said)


def _cpu(config: JsonObject, reading: Reading, before: Reading | None) -> Iterator[Finding]:
    use = cpu_use(reading, before)
    if use is None:
        return
    said = f"CPU {use.busy_percent:.1f} % busy, mostly {use.mode}"
    if reading.processes is not None and before is not None and before.processes is not None:
        busiest = reading.processes.busiest_since(before.processes)
        said += _by(reading.processes.described(busiest))
    yield from _judged(config, "cpu", "percent", use.busy_percent, said)


def _load(config: JsonObject, reading: Reading) -> Iterator[Finding]:
    if reading.load is None or not reading.cores:
        return
    value = reading.load[1] / reading.cores
    said = f"Load {value:.2f} per core ({reading.load[1]:.2f} on {reading.cores} cores)"
    yield from _judged(config, "load", "per_core", value, said)


def _memory(config: JsonObject, reading: Reading) -> Iterator[Finding]:
    used = memory_percent(reading)
    if used is not None:
        left = reading.memory["MemAvailable_bytes"] / _GIB
        said = f"Memory {used:.1f} % in use ({left:.1f} GiB available)"
        if reading.processes is not None:
            said += _by(reading.processes.described(reading.processes.largest))
        yield from _judged(config, "memory", "percent", used, said)
    swapped = swap_percent(reading)
    if swapped is not None:
        yield from _judged(config, "swap", "percent", swapped, f"Swap {swapped:.1f} % in use")


def _judged(
    config: JsonObject, subject: str, unit: str, value: float, said: str
) -> Iterator[Finding]:
    sign = " %" if unit == "percent" else ""
    for state in (CheckState.DOWN, CheckState.DEGRADED):
        limit = get_number(config, f"{subject}_{state.value}_{unit}")
        if limit is not None and value > limit:
            yield state, f"{said}, above {limit:g}{sign}"
            return


def _by(process: str) -> str:
    return f", most by {process}" if process else ""


def _used_percent(reading: Reading, total_name: str, left_name: str) -> float | None:
    total, left = reading.memory.get(total_name), reading.memory.get(left_name)
    return 100 * (total - left) / total if total and left is not None else None
