"""Who is worked on is not told of: alerts of monitors, and alerts that match, in maintenance."""

import logging
from collections.abc import Sequence

from apps.monitors.selectors.maintenance import Maintenance, maintained_monitors
from apps.monitors.services.maintained import maintained_alerts
from apps.notifications.enums import SuppressionKind
from apps.notifications.services.alert_facts import AlertFacts
from apps.notifications.services.causes import Cause, Causes, SuppressionInput
from apps.notifications.services.folders import is_of_folder
from apps.notifications.services.matcher_index import MatcherIndex
from apps.notifications.services.matchers import MatcherError, parse_matcher

MONITOR_LABEL = "monitor"
logger = logging.getLogger(__name__)


def maintenance_causes(given: SuppressionInput) -> Causes:
    """Hold back, firing or resolved, what is in maintenance, and say until when."""
    snapshot = given.snapshot
    monitors = snapshot.recall(
        "maintained_monitors", lambda: maintained_monitors(given.org_id, snapshot.now)
    )
    index = snapshot.recall("maintained_alerts", lambda: _index(given))
    if not monitors and not index:
        return {}
    found: dict[str, list[Cause]] = {}
    for alert in given.alerts:
        windows = [*monitors.get(alert.labels.get(MONITOR_LABEL, ""), ())]
        windows += _matching(given, alert, index)
        if windows:
            found[alert.fingerprint] = _causes(windows)
    return found


def _index(given: SuppressionInput) -> MatcherIndex[tuple[int | None, Maintenance]]:
    index: MatcherIndex[tuple[int | None, Maintenance]] = MatcherIndex()
    for each in maintained_alerts(given.org_id, given.snapshot.now):
        try:
            matchers = [parse_matcher(text) for text in each.matchers]
        except MatcherError:
            logger.exception("maintenance window %s covers no alerts", each.maintenance.name)
            continue  # one window must not keep everybody else's alerts back
        index.add(matchers, (each.folder_id, each.maintenance))
    return index


def _matching(
    given: SuppressionInput,
    alert: AlertFacts,
    index: MatcherIndex[tuple[int | None, Maintenance]],
) -> list[Maintenance]:
    return [
        window
        for folder_id, window in index.find(alert.labels)
        if is_of_folder(alert, folder_id, given.snapshot)
    ]


def _causes(windows: Sequence[Maintenance]) -> list[Cause]:
    """Return one cause for each window, however it covers the alert."""
    by_name = {window.name: window for window in windows}
    return [
        Cause(
            kind=SuppressionKind.MAINTENANCE,
            name=window.name,
            detail=window.note or window.title or "the monitor is set to maintenance",
            until=window.until,
        )
        for window in by_name.values()
    ]
