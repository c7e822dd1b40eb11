"""Modules start in order of dependency and stop in reverse."""

from dataclasses import dataclass, field

import pytest

from detectviz.runtime.modules import ModuleError, ModuleState, Runner, start_order


@dataclass
class Recorded:
    name: str
    log: list[str]
    depends_on: tuple[str, ...] = ()
    fails: bool = False
    deadlines: list[float] = field(default_factory=list)

    def start(self) -> None:
        if self.fails:
            raise RuntimeError("no luck")
        self.log.append(f"+{self.name}")

    def stop(self, deadline_s: float) -> None:
        self.deadlines.append(deadline_s)
        self.log.append(f"-{self.name}")


def test_dependencies_start_first_and_stop_last() -> None:
    log: list[str] = []
    runner = Runner([Recorded("web", log, ("db",)), Recorded("db", log)])
    runner.stop_requested.set()

    assert runner.run() == 0
    assert log == ["+db", "+web", "-web", "-db"]
    assert set(runner.states.values()) == {ModuleState.STOPPED}


def test_when_one_fails_those_that_run_are_stopped_in_order() -> None:
    log: list[str] = []
    runner = Runner(
        [
            Recorded("db", log),
            Recorded("cache", log, ("db",)),
            Recorded("web", log, ("cache",), fails=True),
        ]
    )

    assert runner.run() == 1
    assert log == ["+db", "+cache", "-cache", "-db"]
    assert runner.states["web"] is ModuleState.FAILED


def test_a_missing_dependency_is_named() -> None:
    with pytest.raises(ModuleError, match="'web' needs 'db'"):
        start_order([Recorded("web", [], ("db",))])


def test_a_circle_is_named() -> None:
    with pytest.raises(ModuleError, match="a → b → a"):
        start_order([Recorded("a", [], ("b",)), Recorded("b", [], ("a",))])


def test_two_modules_of_one_name_are_refused() -> None:
    with pytest.raises(ModuleError, match="Two modules"):
        start_order([Recorded("a", []), Recorded("a", [])])
