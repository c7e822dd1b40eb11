"""The Prometheus collector: finds targets, scrapes them at once, judges them together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from detectviz.contracts.collector import CheckResult, CollectorContext, Scrape
from detectviz.contracts.discovery import Discovered
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.http_options import HttpFetcher
from detectviz.contracts.types import CheckState, JsonObject, JsonValue
from plugins.collectors.prometheus.options import ScrapeOptions, read_options
from plugins.collectors.prometheus.scraping import TargetScraper
from plugins.collectors.prometheus.targets import Target, Targets, find_targets

AT_ONCE: Final = 64
# Bodies of one monitor that may be in memory at once: large ones are read a few at a time.
LARGEST_SUM_BYTES: Final = 536_870_912
# Kept back of the check's timeout, so that it ends by itself and its targets are told apart.
MARGIN_S: Final = 0.1
_MEMORY: Final = "prometheus"
_SHOWN_TARGETS: Final = 50
_SHOWN_ERROR: Final = 300


@dataclass(slots=True, kw_only=True)
class _Memory:
    """What is kept of one version of a monitor."""

    options: ScrapeOptions
    scrapers: dict[tuple[bytes, str], TargetScraper] = field(default_factory=dict)
    found: Discovered | None = None
    targets: Targets | None = None


class PrometheusCollector:
    """Scrapes targets as Prometheus does."""

    def __init__(self) -> None:
        self._fetcher = HttpFetcher()

    async def check(self, context: CollectorContext) -> CheckResult:
        """Scrape all targets once; raise PluginError while no targets are known."""
        ends_at = context.monotonic() + max(0.2, context.timeout_s - MARGIN_S)
        memory = self._memory(context)
        if context.discoverer is None:
            raise ConfigurationError("Choose how targets are found.", field="/discovery")
        found = await context.discoverer.discover()
        if memory.found is None or memory.found.groups != found.groups:
            memory.targets = find_targets(found.groups, memory.options)
            memory.found = found
        targets = memory.targets or Targets(active=(), dropped=())
        scrapes = await self._scrape_all(context, memory, targets.active, ends_at)
        return _judged(scrapes, targets, found.error)

    def _memory(self, context: CollectorContext) -> _Memory:
        known = context.memory.get(_MEMORY)
        if isinstance(known, _Memory):
            return known
        made = _Memory(options=read_options(context))
        context.memory[_MEMORY] = made
        return made

    async def _scrape_all(
        self,
        context: CollectorContext,
        memory: _Memory,
        targets: Sequence[Target],
        ends_at: float,
    ) -> tuple[Scrape, ...]:
        scrapers = {}
        for each in targets:
            key = (each.key, each.url)
            known = memory.scrapers.get(key)
            scrapers[key] = known or TargetScraper(each, memory.options, self._fetcher)
            scrapers[key].target = each
        memory.scrapers = scrapers
        limit = memory.options.limits.targets
        if limit and len(targets) > limit:
            error = f"target_limit exceeded: {len(targets)} targets, {limit} allowed"
            return tuple(each.failed(error) for each in scrapers.values())
        at_once = LARGEST_SUM_BYTES // memory.options.limits.body_bytes
        gate = asyncio.Semaphore(max(1, min(AT_ONCE, at_once)))

        async def scrape(scraper: TargetScraper) -> Scrape:
            async with gate:
                left_s = ends_at - context.monotonic()
                if left_s <= 0:
                    return scraper.failed("not scraped: the timeout ran out before its turn")
                return await scraper.scrape(context, left_s)

        return tuple(await asyncio.gather(*map(scrape, scrapers.values())))


def _judged(scrapes: tuple[Scrape, ...], targets: Targets, problem: str) -> CheckResult:
    up = sum(scrape.target.is_up for scrape in scrapes)
    failed = [each for each in scrapes if not each.target.is_up]
    warned = [each for each in scrapes if each.target.is_up and each.target.error]
    if not scrapes:
        state = CheckState.UNKNOWN
    elif not up:
        state = CheckState.DOWN
    else:
        state = CheckState.DEGRADED if failed or warned or problem else CheckState.UP
    return CheckResult(
        state=state,
        message=_message(scrapes, failed or warned, up, problem),
        duration_s=max((each.target.duration_s for each in scrapes), default=None),
        evidence=_evidence(scrapes, targets, problem),
        scrapes=scrapes,
        dropped=targets.dropped,
    )


def _message(scrapes: Sequence[Scrape], failed: Sequence[Scrape], up: int, problem: str) -> str:
    parts = [f"{up} of {len(scrapes)} targets are up" if scrapes else "no target was found"]
    parts += [f"{each.target.url}: {each.target.error[:_SHOWN_ERROR]}" for each in failed[:3]]
    if len(failed) > 3:  # noqa: PLR2004 - as many as a line bears
        parts.append(f"and {len(failed) - 3} more")
    if problem:
        parts.append(f"discovery: {problem}")
    return "; ".join(parts)[:1_000]


def _evidence(scrapes: Sequence[Scrape], targets: Targets, problem: str) -> JsonObject:
    ordered = sorted(scrapes, key=lambda each: (each.target.is_up, each.target.url))
    shown: list[JsonValue] = [
        {
            "url": each.target.url[:1_000],
            "labels": {name: text[:200] for name, text in list(each.target.labels.items())[:20]},
            "up": each.target.is_up,
            "error": each.target.error[:_SHOWN_ERROR],
            "duration_s": round(each.target.duration_s, 6),
            "samples": len(each.exposition),
        }
        for each in ordered[:_SHOWN_TARGETS]
    ]
    told: JsonObject = {"discovery_error": problem} if problem else {}
    return {
        "targets": shown,
        "targets_total": len(scrapes),
        "targets_dropped": len(targets.dropped),
        **told,
    }
