"""What scrapes say beside their samples: targets, metadata of metrics, exemplars."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from apps.monitors.models import ScrapeStatus
from apps.monitors.services.evidence import json_clean
from apps.monitors.services.reports import CheckReport
from apps.monitors.services.scrape_book import KnownTarget, is_scraping
from apps.series.selectors.metadata import MetricDescription
from apps.series.services import NewExemplar, exemplars_record, metadata_record
from detectviz.clock import from_ms
from detectviz.contracts.collector import Scrape, ScrapeTarget
from detectviz.contracts.exposition.series import labels_of, token_of
from detectviz.tsdb.interface import METRIC_NAME

MOST_ACTIVE: Final = 1_000
MOST_DROPPED: Final = 200
_ACROSS: Final = "collectors serve all orgs"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OrgKey:
    """What services of series need of an org's row."""

    pk: int
    uid: str


def scrapes_describe(*, reports: Iterable[CheckReport], before: Mapping[int, Any]) -> None:
    """Record targets, metadata and exemplars of stored scrapes. Call it in a transaction.

    ``before`` is what ``ScrapeBook`` knew: metadata and exemplars it had are not written again.
    """
    statuses = {}
    for report in reports:
        if not is_scraping(report):
            continue
        statuses[report.plan.monitor_id] = _status_of(report)
        known = before.get(report.plan.monitor_id, {})
        org = _OrgKey(pk=report.plan.org_id, uid=report.plan.tenant)
        now = from_ms(report.started_at_ms)
        said = list(_descriptions(report.result.scrapes or (), known))
        if said:
            metadata_record(org=org, said=said, now=now)
        exemplars = list(_new_exemplars(report, known))
        if exemplars:
            exemplars_record(org=org, exemplars=exemplars, now=now)
    if statuses:
        ScrapeStatus.objects.across_orgs(reason=_ACROSS).bulk_create(
            statuses.values(),
            update_conflicts=True,
            unique_fields=["monitor"],
            update_fields=["active", "dropped", "active_total", "dropped_total", "scraped_at"],
        )


def _descriptions(
    scrapes: Sequence[Scrape], known: Mapping[bytes, KnownTarget]
) -> Iterator[MetricDescription]:
    for scrape in scrapes:
        before = known.get(token_of(scrape.target.labels))
        metadata = scrape.exposition.metadata
        if before is not None and (before.metadata is metadata or before.metadata == metadata):
            continue
        for family, each in metadata.items():
            yield MetricDescription(
                metric=family, type=each.type.value, help=each.help, unit=each.unit
            )


def _new_exemplars(
    report: CheckReport, known: Mapping[bytes, KnownTarget]
) -> Iterator[NewExemplar]:
    for scrape in report.result.scrapes or ():
        columns = scrape.exposition
        before = known.get(token_of(scrape.target.labels))
        for place, exemplars in columns.exemplars.items():
            token = columns.series[int(columns.owners[place])]
            if before is not None and before.exemplars.get(token) == exemplars:
                continue
            labels = labels_of(token)
            for each in exemplars:
                time_ms = each.timestamp_ms
                yield NewExemplar(
                    series_labels=labels,
                    labels=each.labels,
                    value=each.value,
                    timestamp_ms=report.started_at_ms if time_ms is None else time_ms,
                )


def _status_of(report: CheckReport) -> ScrapeStatus:
    targets = [scrape.target for scrape in report.result.scrapes or ()]
    return ScrapeStatus(
        org_id=report.plan.org_id,
        monitor_id=report.plan.monitor_id,
        active=[_target_json(each, report) for each in targets[:MOST_ACTIVE]],
        dropped=[
            {"discovered_labels": json_clean(each.discovered_labels)}
            for each in report.result.dropped[:MOST_DROPPED]
        ],
        active_total=len(targets),
        dropped_total=len(report.result.dropped),
        scraped_at=from_ms(report.started_at_ms),
    )


def _target_json(target: ScrapeTarget, report: CheckReport) -> dict[str, Any]:
    labels = {name: text for name, text in target.labels.items() if name != METRIC_NAME}
    found: dict[str, Any] = json_clean(
        {
            "discovered_labels": target.discovered_labels,
            "labels": labels,
            "url": target.url,
            "error": target.error[:1000],
        }
    )
    return {
        **found,
        "health": "up" if target.is_up else "down",
        "duration_s": target.duration_s,
        "scraped_at_ms": report.started_at_ms,
    }
