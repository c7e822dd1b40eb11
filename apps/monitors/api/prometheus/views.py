"""Targets in Prometheus' API: the targets of the monitors that scrape."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest

from apps.monitors.selectors.monitors import monitor_queryset
from apps.monitors.selectors.targets import ScrapeTargets, TargetRow, scrape_targets
from apps.series.selectors.metadata import metadata_list
from detectviz.contracts.durations import format_duration
from detectviz.doors.parameters import ParameterError
from detectviz.doors.prometheus import FilteredView, Success
from detectviz.promql import nodes
from detectviz.promql.errors import ParseError
from detectviz.promql.parser import parse
from detectviz.tsdb.interface import Matcher
from detectviz.tsdb.matching import compile_matcher

_STATES = frozenset({"", "any", "active", "dropped"})
_UNSET = "0001-01-01T00:00:00Z"  # Go's zero time
_MOST_METADATA = 20_000


class _TargetsOfMonitors(FilteredView):
    permission = "monitors:read"

    def targets(self) -> ScrapeTargets:
        """Return the targets of the monitors the caller may read."""
        if self.access.allows(self.permission):
            return scrape_targets(self.org)
        rows = self.access.filter(monitor_queryset(self.org), self.permission)
        return scrape_targets(self.org, monitors=list(rows.values_list("pk", flat=True)))


class TargetsView(_TargetsOfMonitors):
    """``api/v1/targets``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """List targets by ``state`` and ``scrapePool``."""
        state, pool = self.parameters.text("state").lower(), self.parameters.text("scrapePool")
        if state not in _STATES:
            raise ParameterError.named("state", 'it must be "active", "dropped" or "any"')
        found = self.targets()
        active = found.active if state != "dropped" else ()
        dropped = found.dropped if state != "active" else ()
        return Success(
            data={
                "activeTargets": [_active(each) for each in active if pool in {"", each.pool}],
                "droppedTargets": [_dropped(each) for each in dropped if pool in {"", each.pool}],
                "droppedTargetCounts": dict(found.dropped_totals),
            }
        )


class ScrapePoolsView(_TargetsOfMonitors):
    """``api/v1/scrape_pools``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """List the monitors that scrape."""
        return Success(data={"scrapePools": sorted(self.targets().active_totals)})


class TargetsMetadataView(_TargetsOfMonitors):
    """``api/v1/targets/metadata``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Tell what is known of metrics beside each target; it is kept once for the org."""
        metric, limit = self.parameters.text("metric"), self.parameters.limit()
        matchers = _matchers(self.parameters.text("match_target"))
        known = metadata_list(self.org, metric=metric, limit=_MOST_METADATA)
        rows: list[Mapping[str, Any]] = []
        for target in self.targets().active:
            if not _is_matched(target.labels, matchers):
                continue
            for one in known:
                said = {"type": one.type, "help": one.help, "unit": one.unit}
                named = {} if metric else {"metric": one.metric}
                rows.append({"target": dict(target.labels), **named, **said})
                if len(rows) >= (limit or _MOST_METADATA):
                    return Success(data=rows)
        return Success(data=rows)


def _matchers(text: str) -> Sequence[Matcher]:
    if not text:
        return ()
    try:
        node = parse(text)
    except ParseError as error:
        raise ParameterError.named("match_target", error) from None
    if not isinstance(node, nodes.VectorSelector):
        raise ParameterError.named("match_target", f"{text!r} is no series selector")
    return node.matchers


def _is_matched(labels: Mapping[str, str], matchers: Sequence[Matcher]) -> bool:
    return all(compile_matcher(one).matches(labels.get(one.name, "")) for one in matchers)


def _active(target: TargetRow) -> dict[str, Any]:
    scraped = target.last_scrape
    return {
        "discoveredLabels": dict(target.discovered_labels),
        "labels": dict(target.labels),
        "scrapePool": target.pool,
        "scrapeUrl": target.scrape_url,
        "globalUrl": target.scrape_url,
        "lastError": target.last_error,
        "lastScrape": _UNSET if scraped is None else scraped.isoformat().replace("+00:00", "Z"),
        "lastScrapeDuration": target.last_scrape_duration_s,
        "health": target.health,
        "scrapeInterval": format_duration(target.interval_s),
        "scrapeTimeout": format_duration(target.timeout_s),
    }


def _dropped(target: TargetRow) -> dict[str, Any]:
    return {"discoveredLabels": dict(target.discovered_labels), "scrapePool": target.pool}
