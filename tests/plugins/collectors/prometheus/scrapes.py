"""A monitor that scrapes, checked again and again with one memory, as the engine would."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from detectviz.contracts.collector import CheckResult, CollectorContext, Scrape
from detectviz.contracts.discovery import Discovered, TargetGroup
from detectviz.contracts.exposition.result import NO_TIMESTAMP
from detectviz.contracts.exposition.series import labels_of
from detectviz.contracts.network import Network
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.testing.http_server import Answer, Respond, RunningServer, http_server
from detectviz.testing.plugins import checked_config
from plugins.collectors.prometheus.collector import PrometheusCollector

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class FixedTargets:
    """contracts' Discoverer: what a test says."""

    def __init__(self, groups: Sequence[TargetGroup], error: str = "") -> None:
        self.found = Discovered(groups=tuple(groups), error=error)

    async def discover(self) -> Discovered:
        return self.found


@dataclass(kw_only=True)
class Monitor:
    """A monitor and its memory."""

    network: Network
    config: JsonObject
    secrets: Mapping[str, str]
    discoverer: FixedTargets
    timeout_s: float = 3.0
    labels: Mapping[str, str] = field(default_factory=dict)
    collector: PrometheusCollector = field(default_factory=PrometheusCollector)
    memory: dict[str, object] = field(default_factory=dict)

    async def check(self) -> CheckResult:
        context = CollectorContext(
            monitor="node",
            config=self.config,
            secrets=self.secrets,
            timeout_s=self.timeout_s,
            network=self.network,
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            logger=logging.getLogger("tests.collectors"),
            labels=self.labels,
            discoverer=self.discoverer,
            memory=self.memory,
        )
        return await self.collector.check(context)


class Maker:
    """Makes monitors of addresses."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(
        self,
        *addresses: str,
        secrets: dict[str, JsonValue] | None = None,
        labels: Mapping[str, str] | None = None,
        timeout_s: float = 3.0,
        **config: JsonValue,
    ) -> Monitor:
        static: JsonObject = {"groups": [{"targets": list(addresses) or ["x"]}]}
        checked = checked_config(
            PluginKind.COLLECTOR, "prometheus", {"static_sd": static, **config}, secrets
        )
        group = TargetGroup(
            targets=tuple({"__address__": each} for each in addresses), labels=labels or {}
        )
        return Monitor(
            network=self._network,
            config=checked.config,
            secrets=checked.secrets,
            discoverer=FixedTargets([group]),
            timeout_s=timeout_s,
        )


@contextmanager
def exposing(*bodies: str | bytes | Answer, content_type: str = TEXT) -> Iterator[RunningServer]:
    """Serve the bodies one after the other, the last one again and again."""
    left = list(bodies)

    def respond(_: object) -> Answer:
        body = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(body, Answer):
            return body
        data = body.encode() if isinstance(body, str) else body
        return Answer(headers=(("Content-Type", content_type),), body=data)

    with http_server(cast("Respond", respond)) as server:
        yield server


def address_of(server: RunningServer) -> str:
    return f"{server.host}:{server.port}"


def values(scrape: Scrape) -> dict[str, float]:
    """Return the samples as ``name{label="value"}`` without job and instance, by value."""
    found = {}
    columns = scrape.exposition
    for place, owner in enumerate(columns.owners.tolist()):
        labels = labels_of(columns.series[owner])
        name = labels.pop("__name__")
        rest = ",".join(
            f"{key}={text}"
            for key, text in sorted(labels.items())
            if key not in {"job", "instance"}
        )
        found[f"{name}{{{rest}}}" if rest else name] = float(columns.values[place])
    return found


def times(scrape: Scrape) -> list[int]:
    columns = scrape.exposition
    if columns.timestamps_ms is None:
        return []
    return sorted({int(each) for each in columns.timestamps_ms if each != NO_TIMESTAMP})


def only(result: CheckResult) -> Scrape:
    assert result.scrapes is not None
    (scrape,) = result.scrapes
    return scrape
