"""Output of scripts, read: Nagios plugins, Prometheus text, JSON.

Source: the Monitoring Plugins Development Guidelines (exit status, output, performance data).
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from detectviz.contracts.collector import Metric
from detectviz.contracts.commands import CommandResult
from detectviz.contracts.exposition.result import ExpositionError
from detectviz.contracts.exposition.series import METRIC_NAME, labels_of
from detectviz.contracts.exposition.text import parse_text
from detectviz.contracts.types import CheckState

MOST_METRICS: Final = 1_000
MOST_MESSAGE: Final = 1_000
_STATES: Final = {
    0: CheckState.UP,
    1: CheckState.DEGRADED,
    2: CheckState.DOWN,
    3: CheckState.UNKNOWN,
}
_OWN: Final = frozenset({"probe_success", "probe_duration_seconds", "probe_state"})
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")  # noqa: TID251 - our own constant
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")  # noqa: TID251 - our own constant
_ITEM: Final = re.compile(  # noqa: TID251 - our own constant, possessive
    r"\s*+(?:'((?:[^']|'')*+)'|([^\s='|]++))=([-+0-9.eE]++|U)([a-zA-Z%]*+)((?:;[^\s;]*+)*+)"
)
# Units of performance data in base units: what to write, and by what to multiply.
_UNITS: Final = {
    "": ("", 1.0),
    "s": ("seconds", 1.0),
    "ms": ("seconds", 1e-3),
    "us": ("seconds", 1e-6),
    "%": ("percent", 1.0),
    "B": ("bytes", 1.0),
    "KB": ("bytes", 2.0**10),
    "MB": ("bytes", 2.0**20),
    "GB": ("bytes", 2.0**30),
    "TB": ("bytes", 2.0**40),
    "c": ("count", 1.0),
}
_LIMITS: Final = ("warning", "critical", "min", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a script said."""

    state: CheckState
    message: str
    metrics: tuple[Metric, ...] = ()


def read_output(form: str, ended: CommandResult) -> Reading:
    """Return what the output says in ``form``: nagios, prometheus or json."""
    readers = {"prometheus": _read_prometheus, "json": _read_json}
    return readers.get(form, _read_nagios)(ended)


def first_line(data: bytes) -> str:
    """Return the first line with text in it."""
    lines = (line.strip() for line in data.decode("utf-8", "replace").splitlines())
    return next((line for line in lines if line), "")[:MOST_MESSAGE]


def read_perfdata(text: str) -> tuple[Metric, ...]:
    """Return performance data as metrics; what is no performance data is passed over."""
    return tuple(metric for found in _ITEM.finditer(text) for metric in _items(found))[
        :MOST_METRICS
    ]


def _items(found: re.Match[str]) -> Iterator[Metric]:
    quoted, plain, number, unit, limits = found.groups()
    label = quoted.replace("''", "'") if quoted is not None else plain
    name, factor = _UNITS.get(unit, (unit, 1.0))
    labels = {"label": label, **({"unit": name} if name else {})}
    value = _number(number)
    if value is None:
        return
    yield Metric(name="probe_script_perfdata", value=value * factor, labels=labels)
    for which, text in zip(_LIMITS, limits.split(";")[1:], strict=False):
        # Ranges such as 10:20 are conditions, not numbers.
        limit = _number(text)
        if limit is not None:
            yield Metric(name=f"probe_script_perfdata_{which}", value=limit * factor, labels=labels)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _read_nagios(ended: CommandResult) -> Reading:
    """First line: message, then performance data after ``|``; further ones after a later ``|``."""
    state = _STATES.get(ended.exit_code if ended.exit_code is not None else -1)
    head, _, rest = ended.stdout.decode("utf-8", "replace").strip().partition("\n")
    message, _, perfdata = head.partition("|")
    _, _, more = rest.partition("|")
    text = message.strip() or first_line(ended.stderr)
    if state is None:
        text = f"Exit status {ended.exit_code} means nothing to a Nagios plugin. {text}".strip()
    return Reading(
        state=state or CheckState.UNKNOWN,
        message=text[:MOST_MESSAGE],
        metrics=read_perfdata(f"{perfdata} {more}"),
    )


def _read_prometheus(ended: CommandResult) -> Reading:
    if ended.exit_code:
        text = first_line(ended.stderr) or "It wrote no error."
        return Reading(state=CheckState.DOWN, message=f"Exit status {ended.exit_code}. {text}")
    try:
        exposition = parse_text(ended.stdout)
        named = [labels_of(token) for token in exposition.series]
    except ExpositionError as error:
        return _wrong(f"no Prometheus text: {error}")
    samples = zip(exposition.owners.tolist(), exposition.values.tolist(), strict=True)
    metrics = tuple(_metric(named[owner], value) for owner, value in samples)
    return _bounded(CheckState.UP, f"{len(metrics)} samples", metrics)


def _metric(labels: Mapping[str, str], value: float) -> Metric:
    rest = {name: text for name, text in labels.items() if name != METRIC_NAME}
    return Metric(name=labels.get(METRIC_NAME, ""), value=value, labels=rest)


def _read_json(ended: CommandResult) -> Reading:
    try:
        answer = json.loads(ended.stdout)
        if not isinstance(answer, dict):
            return _wrong("no JSON object")
        state = CheckState(answer.get("state", "down" if ended.exit_code else "up"))
        metrics = tuple(_json_metric(item) for item in answer.get("metrics", ()))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return _wrong(f"no answer of the form described: {type(error).__name__}: {error}")
    return _bounded(state, str(answer.get("message", ""))[:MOST_MESSAGE] or state.value, metrics)


def _json_metric(item: dict[str, Any]) -> Metric:
    labels = item.get("labels", {})
    if not all(isinstance(text, str) for text in labels.values()):
        raise ValueError("labels are texts")
    return Metric(name=str(item["name"]), value=float(item["value"]), labels=dict(labels))


def _bounded(state: CheckState, message: str, metrics: tuple[Metric, ...]) -> Reading:
    if len(metrics) > MOST_METRICS:
        return _wrong(f"{len(metrics)} samples, {MOST_METRICS} is the most")
    for metric in metrics:
        is_named = _NAME.fullmatch(metric.name) and metric.name not in _OWN
        if not is_named or not all(_LABEL.fullmatch(name) for name in metric.labels):
            return _wrong(f"a sample that cannot be called {metric.name!r}")
    return Reading(state=state, message=message, metrics=metrics)


def _wrong(what: str) -> Reading:
    return Reading(
        state=CheckState.UNKNOWN, message=f"The script's output is {what}."[:MOST_MESSAGE]
    )
