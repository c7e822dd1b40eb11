"""The rules of an SLO: its SLI over many windows, the budget left, alerts on how fast it burns.

Multi-window, multi-burn-rate alerts as in Google's SRE workbook ("Alerting on SLOs", the sixth
way): an alert fires while both a long and a short window burn faster than would use up a share of
the error budget in the long one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detectviz.contracts.durations import format_duration, parse_duration_s

PLACEHOLDER = "$window"
SHORT_WINDOWS = ("5m", "30m", "1h", "2h", "6h")  # asked directly
LONG_WINDOWS = ("1d", "3d")  # summed from what is recorded for five minutes
PERIODS = ("28d", "30d")
INTERVAL_MS = 60_000
LEFT_METRIC = "slo:error_budget_left:ratio"
ERROR_METRIC = "slo:sli_error:ratio_rate"
_GOOD, _TOTAL = "slo:sli_good:rate5m", "slo:sli_total:rate5m"


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate:
    """Alert when ``budget_percent`` of the period's error budget go within ``long``."""

    budget_percent: float
    long: str
    short: str

    def factor(self, period: str) -> float:
        """Return how many times faster than sustainable that is."""
        spans = parse_duration_s(period) / parse_duration_s(self.long)
        return round(self.budget_percent / 100 * spans, 6)


PAGE = (
    BurnRate(budget_percent=2, long="1h", short="5m"),
    BurnRate(budget_percent=5, long="6h", short="30m"),
)
TICKET = (
    BurnRate(budget_percent=10, long="1d", short="2h"),
    BurnRate(budget_percent=10, long="3d", short="6h"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnAlert:
    """One of the two alerts: its burn rates, and the labels and annotations added to it."""

    rates: Sequence[BurnRate]
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    is_enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SloTerms:
    """An SLO; ``good`` and ``total`` are PromQL with ``$window`` where the range stands."""

    name: str
    title: str
    objective_percent: float
    period: str
    good: str
    total: str
    page: BurnAlert
    ticket: BurnAlert

    @property
    def budget(self) -> float:
        """The share that may fail."""
        return round(1 - self.objective_percent / 100, 12)


def monitor_sli(monitor: str) -> tuple[str, str]:
    """Return what is good and what is all of a monitor: its successful probes, its probes."""
    series = f'probe_success{{monitor="{monitor}"}}[{PLACEHOLDER}]'
    return f"sum(sum_over_time({series}))", f"sum(count_over_time({series}))"


def slo_terms(*, name: str, title: str, spec: Mapping[str, Any]) -> SloTerms:
    """Return what a validated spec means."""
    sli = spec["sli"]
    good, total = monitor_sli(sli["monitor"]) if "monitor" in sli else (sli["good"], sli["total"])
    return SloTerms(
        name=name,
        title=title,
        objective_percent=spec["objective"],
        period=spec["window"],
        good=good,
        total=total,
        page=_burn_alert(spec["alerting"].get("page", {}), PAGE, "critical"),
        ticket=_burn_alert(spec["alerting"].get("ticket", {}), TICKET, "warning"),
    )


def _burn_alert(given: Mapping[str, Any], usual: Sequence[BurnRate], severity: str) -> BurnAlert:
    rates = [
        BurnRate(budget_percent=one["budget"], long=one["long"], short=one["short"])
        for one in given.get("burn_rates", ())
    ] or usual
    return BurnAlert(
        rates=rates,
        labels={"severity": severity, **given.get("labels", {})},
        annotations=given.get("annotations", {}),
        is_enabled=given.get("enabled", True),
    )


def slo_rules(terms: SloTerms) -> list[dict[str, Any]]:
    """Return the rules in order: each reads what those before it recorded."""
    return [*_recordings(terms), *_alerts(terms)]


def _recordings(terms: SloTerms) -> Iterator[dict[str, Any]]:
    labels, mine = {"slo": terms.name}, f'{{slo="{terms.name}"}}'
    yield _record(_GOOD, terms.good.replace(PLACEHOLDER, "5m"), labels)
    yield _record(_TOTAL, terms.total.replace(PLACEHOLDER, "5m"), labels)
    for window in SHORT_WINDOWS:
        good, total = (text.replace(PLACEHOLDER, window) for text in (terms.good, terms.total))
        yield _record(ERROR_METRIC + window, f"1 - ({good}) / ({total})", labels)
    for window in (*LONG_WINDOWS, terms.period):
        good, total = (f"sum_over_time({each}{mine}[{window}])" for each in (_GOOD, _TOTAL))
        yield _record(ERROR_METRIC + window, f"1 - {good} / {total}", labels)
    yield _record("slo:objective:ratio", f"vector({terms.objective_percent / 100:.12g})", labels)
    burning = f"{ERROR_METRIC}1h{mine} / {terms.budget:.12g}"
    yield _record("slo:burn_rate:ratio1h", burning, labels)
    left = f"1 - {ERROR_METRIC}{terms.period}{mine} / {terms.budget:.12g}"
    yield _record(LEFT_METRIC, left, labels)


def _record(name: str, expr: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {"record": name, "expr": expr, "labels": dict(labels)}


def _alerts(terms: SloTerms) -> Iterator[dict[str, Any]]:
    for name, kind, alert, words in (
        ("ErrorBudgetBurnsFast", "page", terms.page, "fast"),
        ("ErrorBudgetBurnsSlowly", "ticket", terms.ticket, "too fast to last"),
    ):
        if not alert.is_enabled:
            continue
        title = (terms.title or terms.name).replace("{{", "{ {")
        summary = f"{title} burns its error budget {words}"
        percent = (
            f"{terms.objective_percent:g} % over {format_duration(parse_duration_s(terms.period))}"
        )
        yield {
            "alert": name,
            "expr": " or ".join(_burning(terms, rate) for rate in alert.rates),
            "labels": {"slo": terms.name, "slo_alert": kind, **alert.labels},
            "annotations": {
                "summary": summary,
                "description": (
                    "{{ $value | humanizePercentage }} fail in the long window; "
                    f"the objective is {percent}."
                ),
                **alert.annotations,
            },
        }


def _burning(terms: SloTerms, rate: BurnRate) -> str:
    mine, most = f'{{slo="{terms.name}"}}', f"{rate.factor(terms.period) * terms.budget:.12g}"
    long, short = f"{ERROR_METRIC}{rate.long}{mine}", f"{ERROR_METRIC}{rate.short}{mine}"
    return f"({long} > {most} and {short} > {most})"
