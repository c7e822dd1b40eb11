"""The sidebar: entries each app declares in its own ``web/menu.py``."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps

SECTIONS = ("Watch", "Alert", "Show", "Organisation", "System")


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuEntry:
    """One link of the sidebar.

    ``route`` is a URL name taking ``org``; ``permission`` decides who sees it; ``section`` is one
    of SECTIONS; ``icon`` names a symbol of ``static/vendor/tabler-icons.svg``. The entry is shown
    as current on every route whose name starts with one of ``covers``.
    """

    title: str
    icon: str
    route: str
    permission: str
    section: str
    order: int = 50
    covers: tuple[str, ...] = ()

    def is_current(self, route: str) -> bool:
        """Return whether ``route`` (a URL name) belongs to this entry."""
        return route == self.route or route.startswith(self.covers or (self.route,))


@cache
def menu_entries() -> tuple[MenuEntry, ...]:
    """Return the entries of all installed apps, by section and order."""
    return sort_entries(
        entry for config in apps.get_app_configs() for entry in _entries_of(config.name)
    )


def sort_entries(entries: Iterable[MenuEntry]) -> tuple[MenuEntry, ...]:
    """Return ``entries`` in the order of SECTIONS; an unknown section is a programming error."""
    return tuple(
        sorted(entries, key=lambda each: (SECTIONS.index(each.section), each.order, each.title))
    )


def _entries_of(app: str) -> tuple[MenuEntry, ...]:
    if find_spec(f"{app}.web") is None or find_spec(f"{app}.web.menu") is None:
        return ()
    entries: tuple[MenuEntry, ...] = import_module(f"{app}.web.menu").MENU
    return entries
