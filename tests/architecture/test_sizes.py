"""Nothing outgrows its budget unseen."""

from datetime import date
from pathlib import Path

from tests.architecture import sizes
from tests.architecture.sizes import Budget, Measure, Raise

_LONG = Measure(path=Path("apps/x/models.py"), name="models", budget=Budget.MODULE, lines=650)


def _raise(limit: int) -> Raise:
    return Raise(
        path="apps/x/models.py",
        budget=Budget.MODULE,
        limit=limit,
        since=date(2026, 1, 1),
        reason="a test",
    )


def test_nothing_is_over_its_budget_and_no_raise_is_stale() -> None:
    assert sizes.failures(list(sizes.measures())) == []


def test_every_raise_has_a_reason() -> None:
    assert [row.path for row in sizes.RAISES if not row.reason] == []


def test_a_long_module_fails_unless_its_raise_covers_it() -> None:
    assert len(sizes.failures([_LONG], raises=())) == 1
    assert sizes.failures([_LONG], raises=[_raise(700)]) == []
    assert len(sizes.failures([_LONG], raises=[_raise(640)])) == 1


def test_a_raise_that_nothing_needs_fails() -> None:
    assert "stale" in sizes.failures([], raises=[_raise(700)])[0]


def test_what_grows_is_warned_of_before_it_fails() -> None:
    growing = Measure(path=Path("x.py"), name="f", budget=Budget.FUNCTION, lines=46)
    assert sizes.warnings([growing, _LONG]) == [str(growing)]


def test_views_are_measured_as_handlers() -> None:
    assert sizes.is_handler_module(Path("apps/monitors/web/views/edit.py"))
    assert sizes.is_handler_module(Path("apps/monitors/api/views.py"))
    assert not sizes.is_handler_module(Path("apps/monitors/services/views.py"))
