"""Alerts: enriched, deduplicated, gathered."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from detectviz.contracts.config import get_duration_s, get_object, get_text, get_text_map, get_texts
from detectviz.contracts.processor import ProcessorContext
from detectviz.contracts.records import AlertRecord, Record, Signal
from detectviz.contracts.types import AlertStatus, JsonObject, Labels

_MEMORY: Final = "stage"
_MOST_REMEMBERED: Final = 100_000
_Key = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Group:
    """Alerts that will become one."""

    began_at: datetime
    alerts: list[AlertRecord] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Stage:
    labels: Labels
    annotations: Labels
    lookup_label: str
    lookup: dict[str, Labels]
    dedupe_window: timedelta | None
    dedupe_by: frozenset[str]
    aggregate_window: timedelta | None
    aggregate_by: frozenset[str]
    passed: dict[tuple[_Key, AlertStatus], datetime] = field(default_factory=dict)
    groups: dict[_Key, _Group] = field(default_factory=dict)

    def enriched(self, alert: AlertRecord) -> AlertRecord:
        """Add labels and annotations it does not have."""
        found = self.lookup.get(alert.labels.get(self.lookup_label, ""), {})
        return replace(
            alert,
            labels={**self.labels, **found, **alert.labels},
            annotations={**self.annotations, **alert.annotations},
        )

    def is_repeated(self, alert: AlertRecord, now: datetime) -> bool:
        """Tell whether the same alert went through in the same state a short while ago."""
        if self.dedupe_window is None:
            return False
        key = (_key(alert, self.dedupe_by), alert.status)
        at = self.passed.get(key)
        if at is not None and now - at < self.dedupe_window:
            return True
        if len(self.passed) >= _MOST_REMEMBERED:
            oldest_at = now - self.dedupe_window
            self.passed = {each: at for each, at in self.passed.items() if at > oldest_at}
        self.passed[key] = now
        return False

    def gather(self, alert: AlertRecord, now: datetime) -> None:
        """Put an alert into its group."""
        group = self.groups.setdefault(_key(alert, self.aggregate_by), _Group(now))
        group.alerts.append(alert)

    def gathered(self, now: datetime, *, is_last: bool) -> list[AlertRecord]:
        """Return and forget the groups whose time is over."""
        window = self.aggregate_window
        if window is None:
            return []
        ended = [
            key for key, group in self.groups.items() if is_last or now - group.began_at >= window
        ]
        return [_together(dict(key), self.groups.pop(key).alerts) for key in ended]


class AlertProcessor:
    """Changes alerts one by one, then gathers those of one group."""

    signals = frozenset({Signal.ALERTS})

    def process(self, records: Sequence[Record], context: ProcessorContext) -> Sequence[Record]:
        """Return the alerts that go on; see the README for the order."""
        stage = context.memory.get(_MEMORY)
        if not isinstance(stage, _Stage):
            stage = context.memory[_MEMORY] = _stage(context.config)
        now = context.now()
        out: list[Record] = []
        for record in records:
            if not isinstance(record, AlertRecord):
                out.append(record)
                continue
            alert = stage.enriched(record)
            if stage.is_repeated(alert, now):
                continue
            if stage.aggregate_window is None:
                out.append(alert)
            else:
                stage.gather(alert, now)
        return [*out, *stage.gathered(now, is_last=context.is_last)]


def _key(alert: AlertRecord, by: frozenset[str]) -> _Key:
    return tuple(sorted(pair for pair in alert.labels.items() if not by or pair[0] in by))


def _together(labels: Labels, alerts: list[AlertRecord]) -> AlertRecord:
    firing = [alert for alert in alerts if alert.status is AlertStatus.FIRING]
    ends = [alert.ends_at for alert in alerts if alert.ends_at is not None]
    counted = f"{len(firing)} firing, {len(alerts) - len(firing)} resolved"
    return AlertRecord(
        status=AlertStatus.FIRING if firing else AlertStatus.RESOLVED,
        labels=labels,
        annotations={"summary": f"{len(alerts)} alerts: {counted}"},
        starts_at=min(alert.starts_at for alert in alerts),
        ends_at=None if firing or not ends else max(ends),
        value=float(len(firing)),
    )


def _stage(config: JsonObject) -> _Stage:
    lookup = get_object(config, "lookup")
    return _Stage(
        labels=get_text_map(config, "labels"),
        annotations=get_text_map(config, "annotations"),
        lookup_label=get_text(config, "lookup_label"),
        lookup={value: get_text_map(lookup, value) for value in lookup},
        dedupe_window=_window(config, "dedupe_window"),
        dedupe_by=frozenset(get_texts(config, "dedupe_by")),
        aggregate_window=_window(config, "aggregate_window"),
        aggregate_by=frozenset(get_texts(config, "aggregate_by")),
    )


def _window(config: JsonObject, name: str) -> timedelta | None:
    seconds = get_duration_s(config, name)
    return timedelta(seconds=seconds) if seconds else None
