"""From the series a target exposes to the series that are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from detectviz.contracts.exposition.numbers import format_float
from detectviz.contracts.exposition.result import Exposition, FamilyMetadata, Int64Array, MetricType
from detectviz.contracts.exposition.series import METRIC_NAME, labels_of, token_of
from detectviz.contracts.types import Labels
from plugins.collectors.prometheus.options import Limits, ScrapeOptions
from plugins.collectors.prometheus.relabeling import relabel

EXPORTED: Final = "exported_"
_HISTOGRAMS: Final = frozenset({MetricType.HISTOGRAM, MetricType.GAUGE_HISTOGRAM})


class ScrapeLimitError(Exception):
    """A scrape that a limit refuses as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """The stored series, and for each exposed one its place among them, -1 if it is dropped."""

    series: tuple[bytes, ...]
    places: Int64Array
    has_dropped: bool
    duplicate: str = ""


class SeriesMapping:
    """The mapping of one target, remembered from scrape to scrape."""

    def __init__(self, options: ScrapeOptions, target: Labels, reports: Sequence[str]) -> None:
        self._options = options
        self._target = target
        self._known: dict[bytes, bytes | None] = {}
        self._exposed: tuple[bytes, ...] | None = None
        self._metadata: Mapping[str, FamilyMetadata] = {}
        self._mapped: Mapped | None = None
        self.report_tokens = tuple(
            token_of(with_target({METRIC_NAME: name}, target, honor=False)) for name in reports
        )

    def apply(self, exposition: Exposition) -> Mapped:
        """Return the mapping of the exposed series; raise ScrapeLimitError, ExpositionError."""
        exposed, metadata = exposition.series, exposition.metadata
        if self._metadata is not metadata and self._metadata != metadata:
            self._known.clear()
            self._exposed = None
        self._metadata = metadata
        if self._mapped is None or self._exposed is not exposed:
            self._mapped = self._map(exposed)
            self._exposed = exposed
        return self._mapped

    def _map(self, exposed: tuple[bytes, ...]) -> Mapped:
        if len(self._known) > 2 * len(exposed) + 1_000:
            self._known.clear()
        finals: dict[bytes, int] = {}
        places = np.full(len(exposed), -1, dtype=np.int64)
        duplicate = ""
        for place, token in enumerate(exposed):
            if token not in self._known:
                self._known[token] = self._final(token)
            final = self._known[token]
            if final is None:
                continue
            if final in finals and not duplicate:
                duplicate = final.decode().strip()
            places[place] = finals.setdefault(final, len(finals))
        return Mapped(
            series=(*finals, *self.report_tokens),
            places=places,
            has_dropped=bool((places < 0).any()),
            duplicate=duplicate,
        )

    def _final(self, token: bytes) -> bytes | None:
        exposed = self._normalized(labels_of(token))
        merged = with_target(exposed, self._target, honor=self._options.honor_labels)
        labels = relabel(merged, self._options.metric_relabel_rules)
        if labels is None:
            return None
        if not labels.get(METRIC_NAME):
            raise ScrapeLimitError(f"metric relabelling left {token.decode()}without a name")
        check_labels(labels, self._options.limits)
        return token_of(labels)

    def _normalized(self, labels: dict[str, str]) -> dict[str, str]:
        """Write bucket bounds and quantiles one way, as Prometheus 3 does: 1 becomes 1.0."""
        name = labels.get(METRIC_NAME, "")
        for label, family, kinds in (
            ("le", name.removesuffix("_bucket"), _HISTOGRAMS),
            ("quantile", name, frozenset({MetricType.SUMMARY})),
        ):
            described = self._metadata.get(family)
            if label in labels and described is not None and described.type in kinds:
                try:
                    labels[label] = format_float(float(labels[label]))
                except ValueError:
                    continue
        return labels


def with_target(exposed: Mapping[str, str], target: Labels, *, honor: bool) -> dict[str, str]:
    """Join the labels of a series and of its target; who wins is ``honor``'s (honor_labels)."""
    if honor:
        return {**target, **exposed}
    merged = {**exposed, **target}
    conflicting = sorted((name for name in exposed if name in target), key=len)
    for name in conflicting:
        renamed = EXPORTED + name
        while renamed in merged:
            renamed = EXPORTED + renamed
        merged[renamed] = exposed[name]
    return merged


def check_labels(labels: Mapping[str, str], limits: Limits) -> None:
    """Raise ScrapeLimitError for labels that are too many or too long."""
    name = labels.get(METRIC_NAME, "")
    if limits.labels and len(labels) > limits.labels:
        raise ScrapeLimitError(
            f"label_limit exceeded: {name} has {len(labels)} labels, {limits.labels} is the most"
        )
    for label, value in labels.items():
        if limits.label_name_length and len(label.encode()) > limits.label_name_length:
            raise ScrapeLimitError(
                f"label_name_length_limit exceeded: {label[:60]} of {name} is longer than "
                f"{limits.label_name_length}"
            )
        if limits.label_value_length and len(value.encode()) > limits.label_value_length:
            raise ScrapeLimitError(
                f"label_value_length_limit exceeded: {label} of {name} is longer than "
                f"{limits.label_value_length}"
            )
