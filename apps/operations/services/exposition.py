"""The latest samples of a pipeline's last good run, as Prometheus scrapes them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from apps.operations.enums import RunState
from apps.operations.models import Pipeline
from apps.operations.selectors import run_list
from apps.operations.services.outputs import output_list, output_path
from detectviz.resources.errors import ConflictError, NotFoundError

EXPORTER, FILE = "exposition", "samples.prom"
MOST_BYTES: Final = 64 << 20
TEXT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def exposition_make(*, pipeline: Pipeline, is_openmetrics: bool) -> bytes:
    """Return the exposition, empty before the first run that ended well.

    Raise NotFoundError for a pipeline without such a destination, ConflictError when its files are
    too large to be shown.
    """
    places = [
        (place, bool(stage["config"].get("timestamps")))
        for place, stage in enumerate(pipeline.destinations)
        if stage["exporter"] == EXPORTER
    ]
    if not places:
        raise NotFoundError(f"The pipeline has no destination of the exporter {EXPORTER}.")
    is_one = len(pipeline.destinations) == 1
    found: dict[str, list[str]] = {}
    for place, has_times in places:
        path = _file_of(pipeline, FILE if is_one else f"{place + 1}-{FILE}")
        if path is not None:
            _add(found, _latest(path), has_times=has_times, is_openmetrics=is_openmetrics)
    return _text(found, is_openmetrics=is_openmetrics)


def _file_of(pipeline: Pipeline, name: str) -> Path | None:
    """Return a file of the last run that ended well; that run may have made none."""
    run = run_list(pipeline).filter(state=RunState.DONE).first()
    if run is None:
        return None
    tenant = pipeline.org.uid
    size = next(
        (each.size for each in output_list(tenant=tenant, run=run.uid) if each.name == name), 0
    )
    if size > MOST_BYTES:
        raise ConflictError(f"The run's samples fill {size} bytes, {MOST_BYTES} are shown at most.")
    return output_path(tenant=tenant, run=run.uid, name=name) if size else None


def _latest(path: Path) -> Mapping[str, tuple[int, str]]:
    """Return (milliseconds, value) by series; of one instant the sample written last."""
    found: dict[str, tuple[int, str]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            series, value, time_ms = line.rstrip("\n").rsplit(" ", 2)
            known = found.get(series)
            if known is None or int(time_ms) >= known[0]:
                found[series] = (int(time_ms), value)
    return found


def _add(
    found: dict[str, list[str]],
    samples: Mapping[str, tuple[int, str]],
    *,
    has_times: bool,
    is_openmetrics: bool,
) -> None:
    for series, (time_ms, value) in samples.items():
        shown = f"{time_ms / 1000:.3f}" if is_openmetrics else str(time_ms)
        line = f"{series} {value} {shown}" if has_times else f"{series} {value}"
        found.setdefault(series.partition("{")[0], []).append(line)


def _text(found: Mapping[str, Iterable[str]], *, is_openmetrics: bool) -> bytes:
    word = "unknown" if is_openmetrics else "untyped"
    lines: list[str] = []
    for name in sorted(found):
        lines += [f"# TYPE {name} {word}", *sorted(found[name])]
    if is_openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines).encode()
