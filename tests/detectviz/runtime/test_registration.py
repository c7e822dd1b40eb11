"""Modules are registered by name; asking for some brings what they need."""

from dataclasses import dataclass

import pytest

from detectviz.runtime.modules import ModuleError
from detectviz.runtime.registration import Registry


@dataclass
class Plain:
    name: str
    depends_on: tuple[str, ...] = ()

    def start(self) -> None:
        """Nothing to start."""

    def stop(self, deadline_s: float) -> None:
        """Nothing to stop."""


def registry() -> Registry:
    registry = Registry()
    registry.register_invisible("database", lambda: Plain("database"))
    registry.register("web", lambda: Plain("web", ("database",)), needs=("database",))
    registry.register("beat", lambda: Plain("beat", ("database",)), needs=("database",))
    return registry


def test_asking_for_one_brings_what_it_needs_and_nothing_else() -> None:
    assert [module.name for module in registry().modules_for(["web"])] == ["database", "web"]
    assert registry().visible == ("web", "beat")
    assert registry().dependency_map["web"] == ("database",)


@pytest.mark.parametrize("name", ["database", "nothing"])
def test_invisible_and_unknown_modules_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(ModuleError, match=f"'{name}' to run; choose from web, beat"):
        registry().modules_for([name])


def test_circles_and_missing_needs_are_named() -> None:
    circle = registry()
    circle.register("a", lambda: Plain("a"), needs=("b",))
    circle.register("b", lambda: Plain("b"), needs=("a", "ghost"))
    with pytest.raises(ModuleError, match="a → b → a"):
        circle.modules_for(["a"])
    lonely = registry()
    lonely.register("c", lambda: Plain("c"), needs=("ghost",))
    with pytest.raises(ModuleError, match="'c' needs 'ghost'"):
        lonely.modules_for(["c"])


def test_a_name_is_registered_once() -> None:
    twice = registry()
    with pytest.raises(ModuleError, match="Two modules are called 'web'"):
        twice.register("web", lambda: Plain("web"))
