"""The same configuration and the same alerts: the same notifications."""

from collections.abc import Sequence
from pathlib import Path
from pprint import pformat
from typing import Any

import pytest

from tests.conformance.alertmanager.differences import DIFFERENCES
from tests.conformance.alertmanager.ours import run_ours
from tests.conformance.alertmanager.scenarios import SCENARIOS
from tests.conformance.alertmanager.script import Scenario
from tests.conformance.alertmanager.theirs import run_theirs
from tests.conformance.alertmanager.told import Told, by_group

EXPECTED = {difference.scenario.name for difference in DIFFERENCES}
# Theirs runs in real time, where a busy machine comes late: what differs is played again, alone.
ATTEMPTS = 3


@pytest.mark.django_db
@pytest.mark.timeout(300)
@pytest.mark.services("prometheus-alertmanager")
def test_receivers_are_told_what_alertmanager_tells_them(tmp_path: Path) -> None:
    scenarios: Sequence[Scenario] = (*SCENARIOS, *(each.scenario for each in DIFFERENCES))
    ours = run_ours(scenarios)
    unexpected: dict[str, Any] = {}
    for attempt in range(ATTEMPTS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        found = _different(scenarios, run_theirs(scenarios, folder), ours)
        unexpected = {name: both for name, both in found.items() if name not in EXPECTED}
        if attempt == 0:
            assert EXPECTED - found.keys() == set(), "these are no differences any more"
        scenarios = [each for each in scenarios if each.name in unexpected]
        if not scenarios:
            break
    assert not unexpected, pformat(unexpected, width=160)


def _different(
    scenarios: Sequence[Scenario], theirs: Sequence[Told], ours: Sequence[Told]
) -> dict[str, Any]:
    return {
        scenario.name: {"theirs": expected, "ours": found}
        for scenario in scenarios
        if (expected := by_group(theirs, scenario.name, scenario.until_s))
        != (found := by_group(ours, scenario.name, scenario.until_s))
    }
