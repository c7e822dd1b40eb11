"""Reads promqltest scripts: commands in order, each with its line."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from detectviz.promql.histograms.notation import parse_histograms
from detectviz.promql.nodes import VectorSelector
from detectviz.promql.numbers import parse_duration_literal_ms, parse_number
from detectviz.promql.parser import parse
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import METRIC_NAME, STALE_NAN

_INSTANT = r"eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)"
_RANGE = r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)"
_LOAD = r"load(_with_nhcb)?\s+(\S+)"
_QUOTED = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`"""
_SERIES = rf"""((?:[^\s{{]+)?\s*(?:\{{(?!\{{)(?:{_QUOTED}|[^}}"'`])*\}})?)\s*(.*)"""
_RANGE_VECTOR = r"range vector from (\S+) to (\S+) step (\S+)"
_NUMBER = r"[+-]?(?:[0-9.]+(?:[eE][+-]?[0-9]+)?|[iI]nf|NaN|nan)"
_DURATION = r"-?(?:[0-9]+(?:ms|[smhdwy])?)+"
_STARTS = rf"({_DURATION})(?:([+-])({_DURATION[2:]}))?(?:x(\d+))?"
_STARTED = "@st"
_EXPANDED = rf"({_NUMBER})(?:([+-])({_NUMBER[5:]}))?x(\d+)"


@dataclass(frozen=True, slots=True)
class HistogramPoint:
    """A native histogram; ``has_hint`` tells whether its counter reset hint is to be compared."""

    histogram: Histogram
    has_hint: bool


Point = float | HistogramPoint | None


@dataclass(slots=True)
class SeriesLine:
    """A series and its points; None where there is no sample.

    ``starts_ms``, if any are given, are the times since when the points count, as offsets from
    their own; None where that is not known.
    """

    labels: dict[str, str]
    points: list[Point]
    starts_ms: list[int | None] = field(default_factory=list)


@dataclass(slots=True)
class Load:
    """Samples to add, one per interval from time zero."""

    interval_ms: int
    converts_buckets: bool
    series: list[SeriesLine] = field(default_factory=list)


@dataclass(slots=True)
class Clear:
    """Empty the store."""


@dataclass(slots=True)
class Expectation:
    """One annotation or failure expected: exact text or a pattern to find; both None for any."""

    text: str | None = None
    pattern: str | None = None


@dataclass(slots=True)
class Case:
    """One evaluation and what must come of it."""

    line: int
    query: str
    start_ms: int
    end_ms: int
    step_ms: int | None
    ordered: bool = False
    fails: list[Expectation] = field(default_factory=list)
    warnings: list[Expectation] = field(default_factory=list)
    infos: list[Expectation] = field(default_factory=list)
    no_warning: bool = False
    no_info: bool = False
    string: str | None = None
    scalar: float | None = None
    grid_ms: tuple[int, int, int] | None = None
    series: list[SeriesLine] = field(default_factory=list)
    is_recast: bool = False


Command = Load | Clear | Case


def read_script(path: Path) -> list[Command]:
    """Return the commands of a script."""
    return _Reader(path.read_text().splitlines()).run()


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        stripped = [line.strip() for line in lines]
        self.lines = ["" if line.startswith("#") else line for line in stripped]
        self.at = 0

    def run(self) -> list[Command]:
        commands: list[Command] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if line.startswith("clear"):
                commands.append(Clear())
            elif line.startswith("load"):
                commands.append(self._load(line))
            elif line.startswith("eval"):
                commands.append(self._case(line))
            elif line:
                raise ValueError(f"line {self.at}: {line!r}")
        return commands

    def _body(self) -> list[str]:
        start = self.at
        while self.at < len(self.lines) and self.lines[self.at]:
            self.at += 1
        return self.lines[start : self.at]

    def _load(self, line: str) -> Load:
        match = re.fullmatch(_LOAD, line)
        assert match, line
        body = read_load(self._body())
        return Load(parse_duration_literal_ms(match[2]), match[1] is not None, body)

    def _case(self, line: str) -> Case:
        number = self.at
        case = _head(line, number)
        for one in self._body():
            _read_expectation(case, one)
        return case


def _head(line: str, number: int) -> Case:
    if instant := re.fullmatch(_INSTANT, line):
        at = _time_ms(instant[2] or "0")
        case = Case(number, instant[3], at, at, None)
        old = instant[1]
    else:
        ranged = re.fullmatch(_RANGE, line)
        assert ranged, line
        start, end, step = (_time_ms(ranged[index]) for index in (2, 3, 4))
        case = Case(number, ranged[5], start, end, step)
        old = ranged[1]
    case.ordered = old == "ordered"
    kinds = {"fail": case.fails, "warn": case.warnings, "info": case.infos}
    if old in kinds:
        kinds[old].append(Expectation())
    return case


def _time_ms(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    return sign * parse_duration_literal_ms(text.removeprefix("-"))


def _read_expectation(case: Case, line: str) -> None:
    if not line.startswith(("expect ", "expected_fail")):
        _read_result(case, line)
        return
    kind, _, rest = line.partition(" ")[2].partition(" ")
    kinds = {"fail": case.fails, "warn": case.warnings, "info": case.infos}
    if line.startswith("expected_fail"):
        is_pattern = line.startswith("expected_fail_regexp")
        text = line.partition(" ")[2]
        case.fails[:] = [Expectation(None, text) if is_pattern else Expectation(text)]
    elif kind in kinds:
        kinds[kind].append(_expectation(rest))
    elif kind == "string":
        literal = line.partition("string")[2].strip()
        case.string = literal[1:-1]
    elif kind == "range":
        match = re.search(_RANGE_VECTOR, line)
        assert match, line
        case.grid_ms = (_time_ms(match[1]), _time_ms(match[2]), _time_ms(match[3]))
    else:
        setattr(case, {"no_warn": "no_warning", "no_info": "no_info"}.get(kind, kind), True)


def _expectation(rest: str) -> Expectation:
    kind, _, text = rest.partition(":")
    if kind == "msg":
        return Expectation(text.strip())
    return Expectation(None, text.strip()) if kind == "regex" else Expectation()


def _read_result(case: Case, line: str) -> None:
    try:
        case.scalar = parse_number(line)
    except ValueError:
        case.series.append(read_series(line))


def read_load(lines: list[str]) -> list[SeriesLine]:
    """Return the series of a load; a line of start times belongs to the one after it."""
    found: list[SeriesLine] = []
    starts: list[int | None] = []
    for line in lines:
        match = re.fullmatch(_SERIES, line.replace(_STARTED + " ", " " + _STARTED + " ", 1))
        if match is not None and match[2].startswith(_STARTED + " "):
            starts = [one for item in match[2].split()[1:] for one in _starts(item)]
            continue
        series = read_series(line)
        assert not starts or len(starts) == len(series.points), line
        series.starts_ms, starts = starts, []
        found.append(series)
    return found


def _starts(item: str) -> list[int | None]:
    if item == "_":
        return [None]
    if gap := re.fullmatch(r"_x(\d+)", item):
        return [None] * int(gap[1])
    match = re.fullmatch(_STARTS, item)
    assert match, item
    first, sign, change, count = match.groups()
    step = 0 if change is None else _time_ms(change) * (-1 if sign == "-" else 1)
    return [_time_ms(first) + step * index for index in range(int(count or 0) + 1)]


def read_series(line: str) -> SeriesLine:
    """Return the labels and points of one line."""
    match = re.fullmatch(_SERIES, line)
    assert match, line
    return SeriesLine(_labels(match[1].strip()), _points(match[2]))


def _labels(text: str) -> dict[str, str]:
    if text.replace(" ", "") == "{}":
        return {}
    node = parse(text if "=" in text or '"' in text else text.replace("{}", ""))
    assert isinstance(node, VectorSelector), text
    labels = {matcher.name: matcher.value for matcher in node.matchers}
    if node.name is not None:
        labels[METRIC_NAME] = node.name
    return {name: value for name, value in labels.items() if value}


def _points(text: str) -> list[Point]:
    points: list[Point] = []
    for item in re.findall(r"(?:\{\{.*?\}\}|[^\s{])+", text):
        points += _histograms(item) if "{{" in item else _floats(item)
    return points


def _histograms(item: str) -> list[Point]:
    # Of ``a+bxn`` the hint of b decides whether hints are compared, as in Prometheus' reader.
    has_hint = "counter_reset_hint" in re.split(r"\}\}[+-]\{\{", item)[-1]
    return [HistogramPoint(one, has_hint) for one in parse_histograms(item)]


def _floats(item: str) -> list[Point]:
    if item == "_":
        return [None]
    if item == "stale":
        return [STALE_NAN]
    if gap := re.fullmatch(r"_x(\d+)", item):
        return [None] * int(gap[1])
    if stale := re.fullmatch(r"stalex(\d+)", item):
        return [STALE_NAN] * (int(stale[1]) + 1)
    expanded = re.fullmatch(_EXPANDED, item)
    if expanded is None:
        return [_float(item)]
    start, sign, delta, count = expanded.groups()
    change = _float(delta) * (-1 if sign == "-" else 1) if delta else 0.0
    points: list[Point] = [_float(start)]
    for _ in range(int(count)):
        last = points[-1]
        assert isinstance(last, float)
        points.append(last + change)
    return points


def _float(text: str) -> float:
    negative = text.startswith("-")
    value = parse_number(text.lstrip("+-"))
    return -value if negative else value
