"""The collector of the machine itself."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from detectviz.contracts.collector import CheckResult, CollectorContext
from detectviz.contracts.durations import format_duration
from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import CheckState, JsonObject
from plugins.collectors.system.judging import (
    CpuUse,
    Finding,
    cpu_use,
    find_problems,
    memory_percent,
    swap_percent,
)
from plugins.collectors.system.options import Options
from plugins.collectors.system.reading import Reading, read

_MEMORY: Final = "reading"
_SHOWN_FINDINGS: Final = 5
_SHOWN_FILE_SYSTEMS: Final = 50
_LONGEST_FINDING: Final = 180
_THREADS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Started:
    """A reading that was begun, and the last one that was finished before it."""

    reading: Reading
    future: "Future[Reading]"


class SystemCollector:
    """Reads the machine of the collector process."""

    def __init__(self) -> None:
        # A file system that hangs keeps its thread; the event loop must go on.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="system")

    async def check(self, context: CollectorContext) -> CheckResult:
        """Read, compare with the last check, and judge."""
        options = Options.read(context.config)
        before = _last(context)
        started_at = context.monotonic()
        reading = Reading()
        future = self._threads.submit(read, options, reading)
        context.memory[_MEMORY] = _Started(reading=reading, future=future)
        await asyncio.wrap_future(future)
        duration_s = context.monotonic() - started_at
        use = cpu_use(reading, before)
        state, message = _verdict([*find_problems(context.config, reading, before)])
        return CheckResult(
            state=state,
            message=message or _summary(reading, use, context),
            duration_s=duration_s,
            metrics=tuple(reading.metrics),
            evidence=_evidence(reading, use),
        )


def _last(context: CollectorContext) -> Reading | None:
    """Return what the last check read; raise PluginError while it is still at it."""
    last = context.memory.get(_MEMORY)
    if not isinstance(last, _Started):
        return None
    if last.future.running():
        raise PluginError(
            f"The last reading still hangs at {last.reading.at or 'its end'}; leave that out, for "
            "file systems by mount_points_exclude."
        )
    is_complete = last.future.done() and not last.future.cancelled()
    return last.reading if is_complete and last.future.exception() is None else None


def _verdict(findings: list[Finding]) -> tuple[CheckState, str]:
    for state in (CheckState.DOWN, CheckState.DEGRADED):
        if any(found is state for found, _ in findings):
            texts = [text[:_LONGEST_FINDING] for found, text in findings if found is state]
            more = len(texts) - _SHOWN_FINDINGS
            said = "; ".join(texts[:_SHOWN_FINDINGS])
            return state, said + (f"; {more} more" if more > 0 else "")
    return CheckState.UP, ""


def _summary(reading: Reading, use: CpuUse | None, context: CollectorContext) -> str:
    parts = []
    if use is not None:
        parts.append(f"CPU {use.busy_percent:.0f} %")
    if reading.load is not None:
        parts.append(f"load {reading.load[1]:.2f} on {reading.cores} cores")
    used = memory_percent(reading)
    if used is not None:
        parts.append(f"memory {used:.0f} %")
    if reading.file_systems:
        fullest = max(reading.file_systems, key=lambda each: each.used_percent)
        parts.append(f"{fullest.mount_point[:100]} {fullest.used_percent:.0f} % full")
    if reading.boot_at is not None:
        uptime_s = max(0.0, context.now().timestamp() - reading.boot_at)
        parts.append(f"up for {format_duration(uptime_s // 60 * 60)}")
    text = ", ".join(parts) or f"{len(reading.metrics)} samples read"
    return text[:1].upper() + text[1:]


def _evidence(reading: Reading, use: CpuUse | None) -> JsonObject:
    swap, memory = swap_percent(reading), memory_percent(reading)
    fullest = sorted(reading.file_systems, key=lambda each: -each.used_percent)
    return {
        "cores": reading.cores,
        "cpu_percent": None if use is None else round(use.busy_percent, 2),
        "load": None if reading.load is None else [round(each, 2) for each in reading.load],
        "memory_percent": None if memory is None else round(memory, 2),
        "swap_percent": None if swap is None else round(swap, 2),
        "file_systems": {
            each.mount_point[:200]: {
                "type": each.kind,
                "used_percent": round(each.used_percent, 2),
                "available_bytes": each.available,
            }
            for each in fullest[:_SHOWN_FILE_SYSTEMS]
        },
        "processes": None if reading.processes is None else reading.processes.count,
        "not_read": dict(reading.problems),
    }
