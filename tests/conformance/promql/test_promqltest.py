"""Every case of the scripts is met, or listed as not met yet with its reason."""

import pytest

from tests.conformance.promql.runner import DATA, expected_failures, run_file

REASONS = {"native histogram", "experimental function", "experimental syntax"}
SCRIPTS = sorted(path.name for path in DATA.glob("*.test"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_met_but_for_its_listed_cases(script: str) -> None:
    listed = {place for place in expected_failures() if place.startswith(f"{script}:")}
    outcomes = {one.place: one.problem for one in run_file(script)}
    missed = {place for place, problem in outcomes.items() if problem is not None}
    surprises = [f"{place} {outcomes[place]}" for place in sorted(missed - listed)]
    assert not surprises, "\n".join(surprises)
    assert not listed - missed, "these pass now, or are gone: take them off the list"


def test_every_listed_case_names_a_known_reason() -> None:
    assert set(expected_failures().values()) <= REASONS
