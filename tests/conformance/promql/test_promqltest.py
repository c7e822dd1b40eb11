"""Every case of the scripts is met, or listed as not met yet with its reason."""

from itertools import count
from pathlib import Path

import pytest

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.policy import TenantPolicy
from tests.conformance.promql.runner import DATA, expected_failures, run_file

YEAR_S = 365 * 86_400
REASONS = {"native histogram"}
LENIENT = TenantPolicy(retention_s=None, out_of_order_s=10 * YEAR_S)
EMBEDDED = ["staleness.test", "selectors.test", "range_queries.test", "limit.test", "info.test"]
SCRIPTS = sorted(path.name for path in DATA.glob("*.test"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_met_but_for_its_listed_cases(script: str) -> None:
    listed = {place for place in expected_failures() if place.startswith(f"{script}:")}
    outcomes = {one.place: one.problem for one in run_file(script)}
    missed = {place for place, problem in outcomes.items() if problem is not None}
    surprises = [f"{place} {outcomes[place]}" for place in sorted(missed - listed)]
    assert not surprises, "\n".join(surprises)
    assert not listed - missed, "these pass now, or are gone: take them off the list"


@pytest.mark.parametrize("script", EMBEDDED)
def test_the_embedded_store_gives_the_same_answers(script: str, tmp_path: Path) -> None:
    numbers = count()

    def fresh() -> EmbeddedStore:
        path = tmp_path / f"{next(numbers)}.sqlite"
        return EmbeddedStore(path, policy=lambda _: LENIENT)

    in_memory = {one.place: one.problem is None for one in run_file(script)}
    assert {one.place: one.problem is None for one in run_file(script, fresh)} == in_memory


def test_every_listed_case_names_a_known_reason() -> None:
    assert set(expected_failures().values()) <= REASONS
