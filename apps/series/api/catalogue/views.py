"""Which series, labels, metrics and exemplars there are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import HttpRequest

from apps.series.api.queries.views import TRUNCATED
from apps.series.selectors import series_store
from apps.series.selectors.exemplars import exemplar_list
from apps.series.selectors.metadata import metadata_list
from detectviz.doors.escaping import label_name_unescape
from detectviz.doors.parameters import ParameterError
from detectviz.doors.prometheus import PrometheusView, Success
from detectviz.promql import nodes
from detectviz.promql.errors import ParseError
from detectviz.promql.labels import is_valid_label_name, label_key
from detectviz.promql.parser import parse

_FORMS = frozenset({"GET", "HEAD", "POST"})


class SeriesView(PrometheusView):
    """``api/v1/series``."""

    methods = _FORMS

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """List label sets that one of the selectors matches."""
        limit = self.parameters.limit()
        selectors = self.parameters.selectors(is_required=True)
        start_ms, end_ms = self.parameters.span_ms()
        found = [
            labels
            for matchers in selectors
            for labels in series_store().series(self.org.uid, matchers, start_ms, end_ms)
        ]
        if len(selectors) > 1:
            found = list({label_key(labels): labels for labels in found}.values())
            found.sort(key=label_key)
        return _limited([dict(labels) for labels in found], limit)


class LabelsView(PrometheusView):
    """``api/v1/labels``."""

    methods = _FORMS

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """List label names."""
        limit = self.parameters.limit()
        selectors = self.parameters.selectors() or [()]
        start_ms, end_ms = self.parameters.span_ms()
        store = series_store()
        found = [store.label_names(self.org.uid, one, start_ms, end_ms) for one in selectors]
        return _limited(_united(found), limit)


class LabelValuesView(PrometheusView):
    """``api/v1/label/<name>/values``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """List the values of one label."""
        name = label_name_unescape(kwargs["name"])
        if not is_valid_label_name(name):
            raise ParameterError(f'invalid label name: "{name}"')
        limit = self.parameters.limit()
        selectors = self.parameters.selectors() or [()]
        start_ms, end_ms = self.parameters.span_ms()
        store = series_store()
        found = [store.label_values(self.org.uid, name, one, start_ms, end_ms) for one in selectors]
        return _limited(_united(found), limit)


class MetadataView(PrometheusView):
    """``api/v1/metadata``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Tell type, help and unit of metrics."""
        limit = self.parameters.limit()
        self.parameters.limit("limit_per_metric")  # there is one each
        found = metadata_list(self.org, metric=self.parameters.text("metric"), limit=limit or None)
        return Success(
            data={
                one.metric: [{"type": one.type, "unit": one.unit, "help": one.help}]
                for one in found
            }
        )


class ExemplarsView(PrometheusView):
    """``api/v1/query_exemplars``."""

    methods = _FORMS

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """List exemplars of the series an expression selects."""
        start_ms, end_ms = self.parameters.span_ms()
        try:
            expression = parse(self.parameters.text("query"))
        except ParseError as error:
            raise ParameterError.named("query", error) from None
        selectors = [
            node.matchers
            for node in nodes.walk(expression)
            if isinstance(node, nodes.VectorSelector)
        ]
        found = exemplar_list(self.org, selectors=selectors, start_ms=start_ms, end_ms=end_ms)
        return Success(
            data=[
                {
                    "seriesLabels": series.labels,
                    "exemplars": [
                        {"labels": labels, "value": value, "timestamp": at_ms / 1000}
                        for labels, value, at_ms in series.exemplars
                    ],
                }
                for series in found
            ]
        )


def _united(found: Iterable[Sequence[str]]) -> list[str]:
    lists = list(found)
    return list(lists[0]) if len(lists) == 1 else sorted(set[str]().union(*lists))


def _limited(found: Sequence[str | Mapping[str, Any]], limit: int) -> Success:
    if limit and len(found) > limit:
        return Success(data=list(found[:limit]), warnings=[TRUNCATED])
    return Success(data=list(found))
