"""The rules of an anomaly: what is usual at this hour, and an alert on what is not.

The baseline is robust: three quantiles of the hour around now in each of the last weeks are the
sample, its median is what is usual, its MAD (median absolute deviation) how far that spreads.
One bad week, or an outage in it, does not move them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detectviz.contracts.durations import format_duration

INTERVAL_MS = 60_000
VALUE, LOW, HIGH, MEDIAN, MAD = (
    f"anomaly:{word}" for word in ("value", "low", "high", "median", "mad")
)
_SAMPLE, _HALF = "anomaly:sample", "anomaly:half_width"
QUANTILES = ("0.25", "0.5", "0.75")
LEAST_SAMPLES = 2 * len(QUANTILES)  # two weeks
_WEEK_S, _HALF_HOUR_S = 7 * 86_400, 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyTerms:
    """What is watched: ``expr`` gives one series per set of the labels ``by``.

    The band is ``deviations`` MADs wide to each side, and at least ``least_percent`` of the
    median. ``direction`` is above, below or both.
    """

    name: str
    title: str
    expr: str
    by: Sequence[str]
    weeks: int
    deviations: float
    least_percent: float
    direction: str
    for_: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def anomaly_terms(*, name: str, title: str, spec: Mapping[str, Any]) -> AnomalyTerms:
    """Return what a validated spec means."""
    said = {key: value for key, value in spec.items() if key not in {"for", "title", "enabled"}}
    return AnomalyTerms(name=name, title=title, for_=spec["for"], **said)


def watched_expr(terms: AnomalyTerms) -> str:
    """Return the expression with one series for each set of the labels it is told apart by."""
    return f"max by ({', '.join(terms.by)}) ({terms.expr})"


def anomaly_rules(terms: AnomalyTerms) -> list[dict[str, Any]]:
    """Return the rules in order: value, sample, median, MAD, band, alert."""
    return [*_recordings(terms), _alert(terms)]


def _recordings(terms: AnomalyTerms) -> Iterator[dict[str, Any]]:
    mine = _mine(terms)
    watched = watched_expr(terms)
    yield _record(terms, VALUE, watched)
    for week in range(1, terms.weeks + 1):
        offset = format_duration(week * _WEEK_S - _HALF_HOUR_S)
        for quantile in QUANTILES:
            expr = f"quantile_over_time({quantile}, ({watched})[1h:5m] offset {offset})"
            yield _record(terms, _SAMPLE, expr, sample=f"{week}w-{quantile}")
    yield _record(terms, MEDIAN, f"quantile without (sample) (0.5, {_SAMPLE}{mine})")
    apart = f"abs({_SAMPLE}{mine} - ignoring (sample) group_left () {MEDIAN}{mine})"
    yield _record(terms, MAD, f"quantile without (sample) (0.5, {apart})")
    least = f"abs({MEDIAN}{mine}) * {terms.least_percent / 100:.12g}"
    wide = f"{MAD}{mine} * {terms.deviations:.12g}"
    yield _record(terms, _HALF, f"({wide} > {least}) or {least}")
    yield _record(terms, LOW, f"{MEDIAN}{mine} - {_HALF}{mine}")
    yield _record(terms, HIGH, f"{MEDIAN}{mine} + {_HALF}{mine}")


def _mine(terms: AnomalyTerms) -> str:
    return f'{{anomaly="{terms.name}"}}'


def _record(terms: AnomalyTerms, name: str, expr: str, **labels: str) -> dict[str, Any]:
    return {"record": name, "expr": expr, "labels": {"anomaly": terms.name, **labels}}


def _alert(terms: AnomalyTerms) -> dict[str, Any]:
    mine = _mine(terms)
    beyond = {
        "above": [f"{VALUE}{mine} > {HIGH}{mine}"],
        "below": [f"{VALUE}{mine} < {LOW}{mine}"],
    }
    sides = beyond.get(terms.direction) or [*beyond["above"], *beyond["below"]]
    known = f"count without (sample) ({_SAMPLE}{mine}) >= {LEAST_SAMPLES}"
    weeks = "week" if terms.weeks == 1 else f"{terms.weeks} weeks"
    return {
        "alert": "Anomaly",
        "expr": f"({' or '.join(sides)}) and {known}",
        "for": terms.for_,
        "labels": dict(terms.labels),
        "annotations": {
            "summary": f"{(terms.title or terms.name).replace('{{', '{ {')} is unusual",
            "description": (
                "value {{ $value | humanize }}, usual "
                f"{_looked_up(terms, LOW)}-{_looked_up(terms, HIGH)} "
                f"at this hour over the last {weeks}"
            ),
            **terms.annotations,
        },
    }


def _looked_up(terms: AnomalyTerms, metric: str) -> str:
    """Write the template that reads a recorded series of the alert's own labels."""
    matchers = "".join(f",{name}=%q" for name in terms.by)
    values = "".join(f" $labels.{name}" for name in terms.by)
    selector = f'printf `{metric}{{anomaly="{terms.name}"{matchers}}}`{values}'
    return f"{{{{ with {selector} | query }}}}{{{{ . | first | value | humanize }}}}{{{{ end }}}}"
