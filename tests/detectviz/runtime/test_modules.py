"""Modules start in order of dependency and stop in reverse."""

import threading
from dataclasses import dataclass, field

import pytest

from detectviz.runtime.modules import (
    MODULE_FAILED,
    START_FAILED,
    ModuleError,
    ModuleState,
    ModuleStatus,
    Runner,
    start_order,
)


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


@dataclass
class Complaining(Recorded):
    """Complains as its test says."""

    complaints: list[str] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)

    def complaint(self) -> str:
        self.asked.set()
        return self.complaints.pop(0) if self.complaints else ""


@dataclass
class Ear:
    heard: list[tuple[str, str]] = field(default_factory=list)

    def on_module(self, status: ModuleStatus) -> None:
        self.heard.append((status.name, status.state.value))


def test_a_module_that_fails_while_it_runs_stops_all_in_order_with_status_3() -> None:
    log: list[str] = []
    ear = Ear()
    runner = Runner(
        [
            Recorded("db", log),
            Complaining("web", log, ("db",), complaints=["", "", "its thread ended"]),
            Recorded("late", log, ("web",)),
        ],
        watch_every_s=0.001,
        listeners=[ear],
    )

    assert runner.run() == MODULE_FAILED == 3
    assert log == ["+db", "+web", "+late", "-late", "-web", "-db"]
    (web,) = [status for status in runner.statuses() if status.name == "web"]
    assert (web.state, web.reason) == (ModuleState.FAILED, "its thread ended")
    assert ("web", "failed") in ear.heard
    assert ear.heard[-1] == ("db", "stopped")


def test_what_depends_on_a_module_starts_only_once_it_is_healthy() -> None:
    log: list[str] = []
    web = Complaining("web", log, complaints=["not yet", "not yet"])
    runner = Runner([web, Recorded("late", log, ("web",))])

    runner.start()

    assert web.complaints == []
    assert log == ["+web", "+late"]
    assert set(runner.states.values()) == {ModuleState.RUNNING}
    assert runner.stop()


def test_one_that_never_becomes_healthy_is_stopped_like_the_others() -> None:
    log: list[str] = []
    sick = Complaining("web", log, ("db",), complaints=["no port"] * 1000)
    runner = Runner([Recorded("db", log), sick], healthy_timeout_s=0.0)

    assert runner.run() == START_FAILED
    assert log == ["+db", "+web", "-web", "-db"]
    assert runner.states["web"] is ModuleState.FAILED


def test_one_that_does_not_stop_in_time_keeps_no_other_from_stopping() -> None:
    log: list[str] = []

    class Stubborn(Recorded):
        def stop(self, deadline_s: float) -> None:
            threading.Event().wait(30)

    runner = Runner([Recorded("db", log), Stubborn("web", log, ("db",))], deadline_s=0.0)
    runner.stop_requested.set()

    assert runner.run() == START_FAILED
    assert log == ["+db", "+web", "-db"]
    assert runner.states == {"db": ModuleState.STOPPED, "web": ModuleState.FAILED}


def test_a_listener_that_fails_disturbs_nobody() -> None:
    class Deaf:
        def on_module(self, status: ModuleStatus) -> None:
            raise RuntimeError("deaf")

    runner = Runner([Recorded("db", [])], listeners=[Deaf()])
    runner.stop_requested.set()
    assert runner.run() == 0
