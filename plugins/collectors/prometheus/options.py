"""The options of a scrape, read once per version of a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from detectviz.contracts.collector import CollectorContext
from detectviz.contracts.config import (
    get_bool,
    get_int,
    get_objects,
    get_text,
    get_text_map,
    get_texts,
)
from detectviz.contracts.exposition.negotiation import DEFAULT_PROTOCOLS, ScrapeProtocol
from detectviz.contracts.http_options import HttpOptions
from detectviz.contracts.types import JsonObject, Labels
from plugins.collectors.prometheus.relabeling import Rule, read_rules

# What one body may hold whatever the options say: the collector's memory is everybody's.
LARGEST_BODY_BYTES: Final = 134_217_728
_UNITS: Final = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one scrape, 0 for none; ``targets`` of all of the monitor's."""

    body_bytes: int = 0
    samples: int = 0
    labels: int = 0
    label_name_length: int = 0
    label_value_length: int = 0
    targets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeOptions:
    """Everything a monitor says about its scrapes, named as Prometheus names it."""

    job: str
    labels: Labels
    metrics_path: str
    scheme: str
    params: Mapping[str, str]
    honor_labels: bool
    honor_timestamps: bool
    track_timestamps_staleness: bool
    protocols: tuple[ScrapeProtocol, ...]
    fallback: ScrapeProtocol | None
    classic_histograms: bool
    is_compressed: bool
    has_extra_metrics: bool
    limits: Limits
    relabel_rules: tuple[Rule, ...]
    metric_relabel_rules: tuple[Rule, ...]
    http: HttpOptions
    timeout_s: float


def read_options(context: CollectorContext) -> ScrapeOptions:
    """Read the options; raise ConfigurationError naming the one that is wrong."""
    config = context.config
    protocols = tuple(ScrapeProtocol(each) for each in get_texts(config, "scrape_protocols"))
    fallback = get_text(config, "fallback_scrape_protocol")
    return ScrapeOptions(
        labels=context.labels,
        job=get_text(config, "job_name") or context.monitor,
        metrics_path=get_text(config, "metrics_path", "/metrics"),
        scheme=get_text(config, "scheme", "http"),
        params=get_text_map(config, "params"),
        honor_labels=get_bool(config, "honor_labels"),
        honor_timestamps=get_bool(config, "honor_timestamps", default=True),
        track_timestamps_staleness=get_bool(config, "track_timestamps_staleness"),
        protocols=protocols or DEFAULT_PROTOCOLS,
        fallback=ScrapeProtocol(fallback) if fallback else None,
        classic_histograms=get_bool(config, "always_scrape_classic_histograms"),
        is_compressed=get_bool(config, "enable_compression", default=True),
        has_extra_metrics=get_bool(config, "extra_scrape_metrics"),
        limits=_limits(config),
        relabel_rules=read_rules(get_objects(config, "relabel_configs"), "relabel_configs"),
        metric_relabel_rules=read_rules(
            get_objects(config, "metric_relabel_configs"), "metric_relabel_configs"
        ),
        http=HttpOptions.read(config, context.secrets),
        timeout_s=context.timeout_s,
    )


def read_size(text: str) -> int:
    """Return the bytes of a size such as 10MB, in powers of 1,024 as Prometheus reads them."""
    number = text.rstrip("KMGTiB")
    unit = text[len(number) :].replace("iB", "").replace("B", "")
    return int(number or 0) * _UNITS[unit]


def _limits(config: JsonObject) -> Limits:
    wanted = read_size(get_text(config, "body_size_limit", "0"))
    return Limits(
        body_bytes=min(wanted or LARGEST_BODY_BYTES, LARGEST_BODY_BYTES),
        samples=get_int(config, "sample_limit"),
        labels=get_int(config, "label_limit"),
        label_name_length=get_int(config, "label_name_length_limit"),
        label_value_length=get_int(config, "label_value_length_limit"),
        targets=get_int(config, "target_limit"),
    )
