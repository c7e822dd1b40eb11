"""What alerting itself says of whom to leave alone: dependencies, flapping, datasources down."""

from functools import partial

from apps.alerting.services.dependency_blocks import (
    DependencyBook,
    ParentIndex,
    dependency_blocks,
    dependency_book,
    firing_parents,
)
from apps.alerting.services.held_alerts import datasources_down, failed_datasources, flapping_held
from apps.alerting.services.state_policies import ERROR_ALERT
from apps.notifications.enums import SuppressionKind
from apps.notifications.services.causes import Cause, Causes, SuppressionInput


def dependency_causes(given: SuppressionInput) -> Causes:
    """Hold back what fires because a monitor or a rule it depends on is down; a resolve never."""
    book: DependencyBook = given.snapshot.recall(
        "dependencies", lambda: dependency_book(given.org_id)
    )
    if not book.monitors and not book.rules:
        return {}
    firing = {
        alert.fingerprint: (alert.labels, alert.starts_at)
        for alert in given.alerts
        if not alert.is_resolved
    }
    blocks = dependency_blocks(given.org_id, firing, book, parents=partial(_parents, given))
    return {
        fingerprint: [
            Cause(kind=SuppressionKind.DEPENDENCY, name=block.name, detail=block.detail)
            for block in found
        ]
        for fingerprint, found in blocks.items()
    }


def _parents(given: SuppressionInput) -> ParentIndex:
    return given.snapshot.recall(
        "parents", lambda: ParentIndex(parents=firing_parents(given.org_id))
    )


def flapping_causes(given: SuppressionInput) -> Causes:
    """Hold back what flaps, firing or resolved, where the rule says so, until it is quiet."""
    held = given.snapshot.recall("flapping", lambda: flapping_held(given.org_id))
    detail = "it changes too often; it is told of when it is steady again"
    return {
        alert.fingerprint: [
            Cause(kind=SuppressionKind.FLAPPING, name=held[alert.fingerprint], detail=detail)
        ]
        for alert in given.alerts
        if alert.fingerprint in held
    }


def datasource_causes(given: SuppressionInput) -> Causes:
    """Inhibit the errors of rules whose datasource is told to be down; a resolve never."""
    errors = [
        alert.fingerprint
        for alert in given.alerts
        if not alert.is_resolved and alert.labels.get("alertname") == ERROR_ALERT
    ]
    if not errors:
        return {}
    down = given.snapshot.recall("datasources_down", lambda: datasources_down(given.org_id))
    if not down:
        return {}
    found: dict[str, list[Cause]] = {}
    for fingerprint, uids in failed_datasources(given.org_id, errors).items():
        if uids and all(uid in down for uid in uids):
            names = ", ".join(down[uid][0] for uid in uids)
            found[fingerprint] = [
                Cause(
                    kind=SuppressionKind.INHIBITION,
                    name="DatasourceDown",
                    detail=f"the datasource {names} is down, which is told once for all its rules",
                )
            ]
    return found
