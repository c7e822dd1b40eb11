"""Which modules a process has: registered by name, chosen by what is asked for."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from detectviz.runtime.modules import Module, ModuleError, start_order


@dataclass(frozen=True, slots=True)
class _Entry:
    make: Callable[[], Module]
    is_visible: bool


@dataclass(slots=True)
class Registry:
    """Factories of modules. Nothing is made before it is asked for.

    Invisible modules, such as drivers, can't be asked for: they come with those that need them.
    """

    _entries: dict[str, _Entry] = field(default_factory=dict)
    _dependencies: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def register(self, name: str, make: Callable[[], Module], *, needs: Sequence[str] = ()) -> None:
        """Register a module that may be asked for; ``needs`` come with it."""
        self._add(name, _Entry(make, is_visible=True), needs)

    def register_invisible(
        self, name: str, make: Callable[[], Module], *, needs: Sequence[str] = ()
    ) -> None:
        """Register a module that only comes with others."""
        self._add(name, _Entry(make, is_visible=False), needs)

    def _add(self, name: str, entry: _Entry, needs: Sequence[str]) -> None:
        if name in self._entries:
            raise ModuleError(f"Two modules are called {name!r}.")
        self._entries[name] = entry
        self._dependencies[name] = tuple(needs)

    @property
    def dependency_map(self) -> dict[str, tuple[str, ...]]:
        """Return what comes with what."""
        return dict(self._dependencies)

    @property
    def visible(self) -> tuple[str, ...]:
        """Return what may be asked for."""
        return tuple(name for name, entry in self._entries.items() if entry.is_visible)

    def modules_for(self, names: Iterable[str]) -> list[Module]:
        """Return the modules asked for and all they need, in the order they start.

        Raise ModuleError for a name that is unknown or invisible, and for circles.
        """
        wanted: dict[str, None] = {}
        for name in names:
            entry = self._entries.get(name)
            if entry is None or not entry.is_visible:
                choices = ", ".join(self.visible)
                raise ModuleError(f"There is no module {name!r} to run; choose from {choices}.")
            self._gather(name, wanted, [])
        return start_order([self._entries[name].make() for name in wanted])

    def _gather(self, name: str, wanted: dict[str, None], path: list[str]) -> None:
        if name in path:
            cycle = " → ".join([*path[path.index(name) :], name])
            raise ModuleError(f"Modules need each other in a circle: {cycle}.")
        if name not in self._entries:
            raise ModuleError(f"Module {path[-1]!r} needs {name!r}, which is not registered.")
        for needed in self._dependencies[name]:
            self._gather(needed, wanted, [*path, name])
        wanted.setdefault(name)
