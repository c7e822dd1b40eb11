"""What inhibition rules mute now, by which sources: looked at on pages, saved or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import models

from apps.notifications.models import RoutedAlert
from apps.notifications.selectors import routed_alert_list
from apps.notifications.services.inhibition import Inhibition, Inhibitor, Labelled
from apps.notifications.services.matchers import all_match
from apps.notifications.services.members import alerts_lapsed
from apps.notifications.services.visibility import AlertVisibility
from detectviz.permissions.access import Access

MAX_SHOWN = 50
_HEARD_OF = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAlert:
    """An alert as somebody may see it."""

    fingerprint: str
    labels: Mapping[str, str]

    @property
    def title(self) -> str:
        """What it is called."""
        return self.labels.get("alertname") or self.fingerprint

    @property
    def others(self) -> dict[str, str]:
        """Its labels without the name."""
        return {name: value for name, value in self.labels.items() if name != "alertname"}


@dataclass(slots=True, kw_only=True)
class Muting:
    """A firing source and what it mutes; ``source`` is None where the asker may not see it."""

    source: SeenAlert | None
    targets: list[SeenAlert] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitionLook:
    """What one rule does now.

    ``sources`` and ``targets`` count firing alerts that match either side, ``muted`` those kept
    back. ``on_both`` are alerts, firing or heard of lately, that match both sides: these do not
    mute each other. ``known_sources`` and ``known_targets`` count the alerts heard of lately.
    """

    muted: int
    sources: int
    targets: int
    mutings: Sequence[Muting]
    on_both: Sequence[SeenAlert]
    known_sources: int
    known_targets: int

    @property
    def shown(self) -> int:
        """How many of the muted are listed."""
        return sum(len(each.targets) for each in self.mutings)


class InhibitionGlass:
    """Looks at rules of an org through the eyes of somebody; three queries at most."""

    def __init__(self, *, org: models.Model, access: Access, now: datetime) -> None:
        visible = AlertVisibility(org=org, access=access)
        asked = RoutedAlert.objects.for_org(org).filter(is_resolved=False)
        rows = list(asked.only("fingerprint", "labels", "rule_group", "ends_at"))
        over = alerts_lapsed(rows, org_id=org.pk, now=now)
        firing = [row for row in rows if row.fingerprint not in over]
        self._firing: list[Labelled] = [(row.fingerprint, row.labels) for row in firing]
        self._seen = {row.fingerprint: _seen(row) for row in firing if visible.has(row.rule_group)}
        self._known = [
            _seen(row)
            for row in routed_alert_list(org=org, limit=_HEARD_OF)
            if visible.has(row.rule_group)
        ]

    def muted(self, rule: Inhibition) -> int:
        """Return how many alerts that somebody may see a rule mutes."""
        inhibitor = Inhibitor([rule], self._firing)
        return sum(bool(inhibitor.inhibitors(each.labels)) for each in self._seen.values())

    def look(self, rule: Inhibition) -> InhibitionLook:
        """Return what a rule mutes, and by what."""
        inhibitor = Inhibitor([rule], self._firing)
        mutings: dict[str, Muting] = {}
        muted = 0
        for alert in self._seen.values():
            for _, (source, _) in inhibitor.inhibitors(alert.labels):
                muted += 1
                if muted <= MAX_SHOWN:
                    found = mutings.setdefault(source, Muting(source=self._seen.get(source)))
                    found.targets.append(alert)
        known = {**{each.fingerprint: each for each in self._known}, **self._seen}
        sources = {key for key, each in known.items() if all_match(rule.source, each.labels)}
        targets = {key for key, each in known.items() if all_match(rule.target, each.labels)}
        both = [each for key, each in known.items() if key in sources & targets]
        return InhibitionLook(
            muted=muted,
            sources=len(sources & self._seen.keys()),
            targets=len(targets & self._seen.keys()),
            mutings=list(mutings.values()),
            on_both=both[:MAX_SHOWN],
            known_sources=len(sources),
            known_targets=len(targets),
        )


def _seen(row: RoutedAlert) -> SeenAlert:
    return SeenAlert(fingerprint=row.fingerprint, labels=dict(sorted(row.labels.items())))
