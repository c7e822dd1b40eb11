"""A loader whose plugins get guarded contexts, whether they run in this process or in their own."""

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from detectviz.contracts.manifest import Manifest
from detectviz.pluginhost.guards import guard_context
from detectviz.pluginhost.permissions import Grants, Guard

Loader = Callable[[Path, Manifest], object]


class GuardedPlugin:
    """A plugin whose methods are called with what its permissions leave of each context."""

    def __init__(self, inner: object, guard: Callable[[], Guard]) -> None:
        self._inner = inner
        self._guard = guard

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._inner, name)
        if name.startswith("_") or not inspect.ismethod(member):
            return member
        guarded = _guarded_method(member, self._guard)
        setattr(self, name, guarded)
        return guarded


def _nobody(_folder: Path) -> bool:
    return False


def guarded_loader(
    loader: Loader, grants: Grants, *, is_exempt: Callable[[Path], bool] = _nobody
) -> Loader:
    """Return a loader that puts a Guard before every plugin but those in exempt folders.

    ``grants`` is asked at every call, so that what the administrator takes back is gone at once.
    In one process with the host this binds what goes through the context and no more: code that
    wants to can go around it. Plugins nobody vouches for belong in a process of their own.
    """

    def load(folder: Path, manifest: Manifest) -> object:
        instance = loader(folder, manifest)
        if is_exempt(folder):
            return instance
        return GuardedPlugin(instance, lambda: Guard(manifest=manifest, granted=grants(manifest)))

    return load


def _guarded_method(member: Any, make_guard: Callable[[], Guard]) -> Any:
    def guarded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        guard = make_guard()
        places = [guard_context(each, guard) if _is_context(each) else each for each in args]
        names = {
            name: guard_context(each, guard) if _is_context(each) else each
            for name, each in kwargs.items()
        }
        return member(*places, **names)

    if inspect.iscoroutinefunction(member):

        @wraps(member)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await guarded(args, kwargs)

        return call_async

    @wraps(member)
    def call(*args: Any, **kwargs: Any) -> Any:
        return guarded(args, kwargs)

    return call


def _is_context(value: object) -> bool:
    return is_dataclass(value) and type(value).__name__.endswith("Context")
