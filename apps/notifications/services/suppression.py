"""What is held back, and why: every suppressor is asked, in Alertmanager's order, then ours.

A new reason is one function and one entry in ``SUPPRESSORS``.
"""

from collections import defaultdict

from apps.notifications.services.causes import Cause, Causes, SuppressionInput, Suppressor
from apps.notifications.services.handled import acknowledged, snoozed
from apps.notifications.services.suppressors import (
    active_time_causes,
    inhibition_causes,
    mute_time_causes,
    silence_causes,
)

SUPPRESSORS: tuple[Suppressor, ...] = (
    inhibition_causes,
    active_time_causes,
    mute_time_causes,
    silence_causes,
    acknowledged,
    snoozed,
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
