"""The same configuration and the same alerts: the same notifications."""

from pathlib import Path
from pprint import pformat

import pytest

from tests.conformance.alertmanager.differences import DIFFERENCES
from tests.conformance.alertmanager.ours import run_ours
from tests.conformance.alertmanager.scenarios import SCENARIOS
from tests.conformance.alertmanager.theirs import run_theirs
from tests.conformance.alertmanager.told import by_group

EXPECTED = {difference.scenario.name for difference in DIFFERENCES}


@pytest.mark.django_db
@pytest.mark.services("prometheus-alertmanager")
def test_receivers_are_told_what_alertmanager_tells_them(tmp_path: Path) -> None:
    scenarios = (*SCENARIOS, *(difference.scenario for difference in DIFFERENCES))
    theirs = run_theirs(scenarios, tmp_path)
    ours = run_ours(scenarios)
    different = {
        scenario.name: {"theirs": expected, "ours": found}
        for scenario in scenarios
        if (expected := by_group(theirs, scenario.name, scenario.until_s))
        != (found := by_group(ours, scenario.name, scenario.until_s))
    }
    unexpected = {name: both for name, both in different.items() if name not in EXPECTED}
    assert not unexpected, pformat(unexpected, width=160)
    assert EXPECTED - different.keys() == set(), "these are no differences any more"
