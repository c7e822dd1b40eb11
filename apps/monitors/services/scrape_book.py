"""What this process knows of targets between two scrapes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from apps.monitors.services.reports import CheckReport
from detectviz.contracts.exposition.result import Exemplar, FamilyMetadata

MOST_MONITORS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTarget:
    """What a target had at its last scrape."""

    series: tuple[bytes, ...]
    untracked: frozenset[bytes] = frozenset()
    metadata: Mapping[str, FamilyMetadata] = field(default_factory=dict)
    exemplars: Mapping[bytes, tuple[Exemplar, ...]] = field(default_factory=dict)


class ScrapeBook:
    """What every target of this process had at its last scrape, by monitor and target labels."""

    def __init__(self) -> None:
        self.monitors: dict[int, dict[bytes, KnownTarget]] = {}

    def learn(self, monitor: int, targets: dict[bytes, KnownTarget]) -> None:
        """Remember the targets of one monitor, instead of those it had."""
        if len(self.monitors) > MOST_MONITORS:
            self.monitors.clear()
        self.monitors[monitor] = targets


def is_scraping(report: CheckReport) -> bool:
    """Say whether there are scrapes that tell of targets; a prober without network tells none."""
    return report.result.scrapes is not None and not report.is_offline
