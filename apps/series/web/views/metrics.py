"""The metrics browser: which metrics there are, and which labels tell their series apart."""

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse, QueryDict

from apps.series.selectors.exploring import (
    LabelUse,
    MetricUse,
    Window,
    metric_names,
    metric_use,
    series_name,
)
from apps.series.selectors.metadata import MetricDescription, metadata_known
from detectviz.clock import utc_now
from detectviz.tsdb.interface import METRIC_NAME
from detectviz.web.pages import Pager, PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

PER_PAGE = 40
DAY_MS = 86_400_000
MOST_CHOSEN = 20
LONGEST_TEXT = 2048


@dataclass(frozen=True)
class Choice:
    """A label value, and the address with it chosen (or, if it is, no longer chosen)."""

    name: str
    value: str
    address: str
    count: int = 0


@dataclass(frozen=True)
class MetricsPage:
    """The metrics that fit the search, and the one that is looked at."""

    scope: OrgScope
    query: QueryDict
    window: Window

    @property
    def search(self) -> str:
        """What names must contain."""
        return self._text("search")

    @property
    def metric(self) -> str:
        """The metric looked at, empty for none."""
        return self._text("metric")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names that fit the search."""
        return metric_names(self.scope.org, search=self.search, window=self.window)

    @cached_property
    def pager(self) -> Pager:
        """Where in the names this page stands."""
        return Pager.of(self.query, count=len(self.names), per_page=PER_PAGE)

    @cached_property
    def rows(self) -> list[tuple[MetricDescription, str]]:
        """The metrics of this page with what is known of each, and the address to look at it."""
        names = self.names[self.pager.offset : self.pager.offset + PER_PAGE]
        known = metadata_known(self.scope.org, names)
        described = (
            known[name][0] if name in known else MetricDescription(metric=name) for name in names
        )
        return [(one, self._address(metric=one.metric, label=[])) for one in described]

    @cached_property
    def described(self) -> MetricDescription:
        """What is known of the metric looked at."""
        known = metadata_known(self.scope.org, [self.metric])
        return known[self.metric][0] if known else MetricDescription(metric=self.metric)

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """The chosen label values."""
        texts = [text[:LONGEST_TEXT] for text in self.query.getlist("label")[:MOST_CHOSEN]]
        split = (text.replace("\x00", "").partition("=") for text in texts)
        return [(name, value) for name, sign, value in split if name and sign]

    @cached_property
    def chosen(self) -> list[Choice]:
        """The chosen label values with the address without each."""
        return [
            Choice(name, value, self._with([pair for pair in self.pairs if pair != (name, value)]))
            for name, value in self.pairs
        ]

    @cached_property
    def use(self) -> MetricUse:
        """What the chosen series of the metric consist of."""
        return metric_use(self.scope.org, self.metric, self.pairs, self.window)

    @cached_property
    def labels(self) -> list[tuple[LabelUse, list[Choice]]]:
        """Labels with the addresses that narrow down to each value."""
        return [
            (
                label,
                [
                    Choice(label.name, value, self._with([*self.pairs, (label.name, value)]), count)
                    for value, count in label.values
                ],
            )
            for label in self.use.labels
            if label.name not in dict(self.pairs)
        ]

    @property
    def selector(self) -> str:
        """The selection as PromQL."""
        return series_name({METRIC_NAME: self.metric, **dict(self.pairs)})

    @property
    def expression(self) -> str:
        """What to look at first: a counter's rate, anything else as it is."""
        is_counter = self.described.type == "counter" or self.metric.endswith("_total")
        return f"rate({self.selector}[5m])" if is_counter else self.selector

    def _with(self, pairs: list[tuple[str, str]]) -> str:
        return self._address(metric=self.metric, label=[f"{n}={v}" for n, v in pairs])

    def _address(self, *, metric: str, label: list[str]) -> str:
        changed = self.query.copy()
        changed["metric"] = metric
        changed.setlist("label", label)
        return f"?{changed.urlencode()}"

    def _text(self, name: str) -> str:
        return self.query.get(name, "").replace("\x00", "").strip()[:LONGEST_TEXT]


@org_page("series:read")
def metrics(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the metrics of the last day and what one of them consists of."""
    window = Window(end=utc_now(), range_ms=DAY_MS, step_ms=DAY_MS)
    page = MetricsPage(scope=scope, query=request.GET, window=window)
    return render_page(
        request, "series/metrics.html", page, fragment="series/partials/_metrics.html"
    )
