"""What is held back, and why: every suppressor is asked, in Alertmanager's order, then ours.

A new reason is one function and one entry in ``SUPPRESSORS``.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from apps.notifications.enums import SuppressionKind
from apps.notifications.models import ContactPoint
from apps.notifications.services.alert_facts import AlertFacts
from apps.notifications.services.alert_suppressors import (
    datasource_causes,
    dependency_causes,
    flapping_causes,
)
from apps.notifications.services.causes import Cause, Causes, SuppressionInput, Suppressor
from apps.notifications.services.handled import acknowledged, snoozed
from apps.notifications.services.maintained import maintenance_causes
from apps.notifications.services.suppressors import (
    active_time_causes,
    inhibition_causes,
    mute_time_causes,
    silence_causes,
)

SUPPRESSORS: tuple[Suppressor, ...] = (
    inhibition_causes,
    datasource_causes,
    active_time_causes,
    mute_time_causes,
    silence_causes,
    maintenance_causes,
    dependency_causes,
    acknowledged,
    snoozed,
    flapping_causes,
)


def causes_of(given: SuppressionInput) -> Causes:
    """Return the chain of reasons of each alert that is held back, by fingerprint.

    Later suppressors are asked about alerts that earlier ones hold back too, so that the chain
    says everything that has to end before somebody is told.
    """
    chains: dict[str, list[Cause]] = defaultdict(list)
    if given.alerts:
        for suppressor in SUPPRESSORS:
            for fingerprint, causes in suppressor(given).items():
                chains[fingerprint] += causes
    return {fingerprint: chain for fingerprint, chain in chains.items() if chain}


def point_receivers(point: ContactPoint | None) -> Sequence[Mapping[str, Any]]:
    """Return the receivers of a contact point that are switched on."""
    return [receiver for receiver in point.receivers if receiver["enabled"]] if point else []


def point_cause(name: str, point: ContactPoint | None) -> Cause | None:
    """Say why a contact point tells nobody at all; None when it tells somebody."""
    if not name:
        return Cause(kind=SuppressionKind.NO_ROUTE, detail="the route names no contact point")
    if point is None:
        return Cause(
            kind=SuppressionKind.NO_ROUTE, name=name, detail="there is no such contact point"
        )
    if not point_receivers(point):
        return Cause(
            kind=SuppressionKind.DISABLED,
            name=name,
            detail="every receiver of the contact point is switched off",
        )
    return None


def with_nobody(causes: Causes, alerts: Sequence[AlertFacts], nobody: Cause | None) -> Causes:
    """Return the chains of alerts whose contact point tells nobody, if it does not."""
    if nobody is None:
        return causes
    return {one.fingerprint: [*causes.get(one.fingerprint, ()), nobody] for one in alerts}
