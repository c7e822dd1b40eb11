"""What an org's series come to beside its limits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.http import HttpResponse

from apps.series.selectors.exploring import series_name
from apps.series.selectors.usage import (
    NEAR,
    RefusedSamples,
    SeriesUsage,
    refusal_list,
    series_usage,
)
from apps.series.services.refusals import refusals_write
from detectviz.clock import utc_now
from detectviz.tsdb.interface import StoreError
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

DAY = timedelta(days=1)
_REASONS = {
    "limit": "Limit of series",
    "rate": "Samples per second",
    "duplicate": "Other value at the same time",
    "out_of_order": "Out of order",
    "too_old": "Too old",
    "out_of_bounds": "Out of bounds",
    "invalid": "Not valid",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A number beside its limit, ``tone`` the colour that fits."""

    label: str
    value: str
    hint: str
    icon: str
    tone: str = ""


@dataclass(frozen=True)
class UsagePage:
    """Use, limits, what makes series many, what was refused, what is kept."""

    scope: OrgScope
    now: datetime

    @cached_property
    def usage(self) -> SeriesUsage | None:
        """The numbers; None while the store does not answer."""
        try:
            return series_usage(self.scope.org, now=self.now)
        except StoreError:
            return None

    @cached_property
    def gauges(self) -> list[Gauge]:
        """The tiles at the top."""
        usage = self.usage
        if usage is None:
            return []
        rate = usage.samples_per_s
        return [
            Gauge(
                label="Active series",
                value=f"{usage.active:,}",
                hint=_of(usage.policy.max_series, usage.series_ratio),
                icon="chart-line",
                tone=_tone(usage.series_ratio),
            ),
            Gauge(
                label="Samples per second",
                value="many" if rate is None else f"{rate:,.1f}",
                hint=_of(usage.policy.samples_per_s, usage.rate_ratio),
                icon="gauge",
                tone=_tone(usage.rate_ratio),
            ),
            Gauge(
                label="Refused in a day",
                value=f"{self.refused_total:,}",
                hint="samples",
                icon="circle-minus",
                tone="is-degraded" if self.refused_total else "",
            ),
            Gauge(
                label="Known series",
                value=f"{usage.made_of.series:,}",
                hint="active and silent",
                icon="archive",
            ),
        ]

    @cached_property
    def refusals(self) -> list[tuple[str, RefusedSamples]]:
        """What was refused in the last day, with the reason in words."""
        found = refusal_list(self.scope.org, now=self.now, within=DAY)
        return [(_REASONS.get(one.reason, one.reason), one) for one in found]

    @property
    def refused_total(self) -> int:
        """How many samples were refused in the last day."""
        return sum(one.count for _, one in self.refusals)

    @property
    def state(self) -> str:
        """The state whose colour fits the verdict."""
        return "error" if self._worst >= 1 else "degraded" if self._worst >= NEAR else "ok"

    @property
    def verdict(self) -> str:
        """Where the org stands, in a sentence."""
        if self._worst >= 1:
            return "A limit is reached. "
        return "A limit is near. " if self._worst >= NEAR else "Well within the limits. "

    @property
    def advice(self) -> str:
        """What to do now."""
        if self._worst < NEAR:
            return "New series and more samples are taken."
        return (
            "New series are refused at the limit; known ones go on. Drop labels with many values at"
            " the sender (metric_relabel_configs), scrape less often, or ask your administrators"
            " for a larger quota. Series make room two hours after their last sample."
        )

    @property
    def pairs(self) -> list[tuple[str, int, str]]:
        """The label values with the most series, each with its selector."""
        assert self.usage is not None
        split = (
            (text, count, *text.partition("=")[::2])
            for text, count in self.usage.made_of.series_by_pair
        )
        return [(text, count, series_name({name: value})) for text, count, name, value in split]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """How long what is kept."""
        assert self.usage is not None
        policy = self.usage.policy
        return [
            ("Raw samples", _span(policy.retention_s)),
            ("Rollups of 5 minutes", _span(policy.rollup_5m_retention_s)),
            ("Rollups of 1 hour", _span(policy.rollup_1h_retention_s)),
            ("Late samples are taken for", _span(policy.out_of_order_s)),
        ]

    @property
    def _worst(self) -> float:
        usage = self.usage
        return max(usage.series_ratio or 0.0, usage.rate_ratio or 0.0) if usage else 0.0


@org_page("series:read")
def usage(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show use beside limits."""
    refusals_write(is_urgent=True)  # what came through this process is seen at once
    return render_page(request, "series/usage.html", UsagePage(scope=scope, now=utc_now()))


def _tone(ratio: float | None) -> str:
    if ratio is None or ratio < NEAR:
        return ""
    return "is-down" if ratio >= 1 else "is-degraded"


def _of(limit: float | None, ratio: float | None) -> str:
    if limit is None:
        return "no limit"
    share = "" if ratio is None else f" ({100 * ratio:.0f} %)"
    return f"of {limit:,.0f}{share}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "for good"
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds / size
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds" if seconds else "none"
