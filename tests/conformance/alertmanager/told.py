"""What a receiver was told, without what has to differ (times, addresses)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One webhook: at which second of the script it arrived, where, and its body."""

    at_s: float
    path: str
    body: Mapping[str, Any]

    @property
    def essence(self) -> dict[str, Any]:
        """The body without times and addresses; alerts by their labels."""
        body = self.body
        alerts = [
            (sorted(alert["labels"].items()), alert["status"], alert["annotations"])
            for alert in body["alerts"]
        ]
        kept = ("version", "groupKey", "status", "receiver", "groupLabels", "truncatedAlerts")
        return {
            **{name: body[name] for name in (*kept, "commonLabels", "commonAnnotations")},
            "alerts": sorted(alerts, key=lambda alert: alert[0]),
        }

    @property
    def scenario(self) -> str:
        """The scenario it belongs to."""
        return self.path.split("/")[1]


def by_group(told: Iterable[Told], scenario: str, until_s: float) -> dict[str, list[Any]]:
    """Return what was told in a scenario, in order, by receiver and group."""
    found: dict[str, list[Any]] = defaultdict(list)
    for one in sorted(told, key=lambda each: each.at_s):
        if one.scenario == scenario and one.at_s <= until_s:
            found[f"{one.path} {one.body['groupKey']}"].append(one.essence)
    return dict(found)
