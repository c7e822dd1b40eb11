"""The sidebar: entries each app declares in its own ``web/menu.py``."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol

from django.apps import apps

SECTIONS = ("Watch", "Alert", "Show", "Organisation", "System")


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuGroup:
    """Entries of a section that fold away under one title; ``name`` is what is remembered."""

    name: str
    title: str
    icon: str


GROUPS = (
    MenuGroup(name="rules", title="Rules and SLOs", icon="list-details"),
    MenuGroup(name="notifications", title="Notifications", icon="route"),
    MenuGroup(name="on-call", title="People on call", icon="users"),
    MenuGroup(name="delivery", title="Delivery and proof", icon="send"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuEntry:
    """One link of the sidebar.

    ``route`` is a URL name taking ``org``; ``permission`` decides who sees it; ``section`` is one
    of SECTIONS; ``icon`` names a symbol of ``static/vendor/tabler-icons.svg``. The entry is shown
    as current on every route whose name starts with one of ``covers``. ``group`` is the name of
    one of GROUPS, within which it is ordered; entries of none come first.
    """

    title: str
    icon: str
    route: str
    permission: str
    section: str
    order: int = 50
    group: str = ""
    covers: tuple[str, ...] = ()
    args: tuple[str, ...] = ()  # what the route takes after the org

    def is_current(self, route: str) -> bool:
        """Return whether ``route`` (a URL name) belongs to this entry."""
        return route == self.route or route.startswith(self.covers or (self.route,))


class Scope(Protocol):
    """Who is looking, as far as entries and widgets of plugins depend on it."""

    @property
    def org(self) -> Any:
        """The org of the page."""

    @property
    def user(self) -> Any:
        """Who is looking."""

    def can(self, permission: str) -> bool:
        """Tell whether the user holds ``permission``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Widget:
    """A part of a page that is asked for by itself."""

    title: str
    url: str


def entries_for(scope: Scope) -> tuple[MenuEntry, ...]:
    """Return all entries for an org: those of apps, and those apps add for this org only."""
    more = (entry for module in _menus() for entry in _call(module, "entries_for", scope))
    return sort_entries((*menu_entries(), *more))


def sheets_of(scope: Scope) -> tuple[str, ...]:
    """Return the style sheets apps put over the host's own: those of themes."""
    return tuple(each for module in _menus() for each in _call(module, "sheets_for", scope))


def widgets_of(scope: Scope, slot: str, subject: str) -> list[Widget]:
    """Return the widgets apps offer for a slot of a page."""
    return [
        each for module in _menus() for each in _call(module, "widgets_for", scope, slot, subject)
    ]


@cache
def _menus() -> tuple[ModuleType, ...]:
    names = [f"{config.name}.web" for config in apps.get_app_configs()]
    found = [name for name in names if find_spec(name) and find_spec(f"{name}.menu")]
    return tuple(import_module(f"{name}.menu") for name in found)


def _call(module: ModuleType, name: str, *args: Any) -> Iterable[Any]:
    function = getattr(module, name, None)
    return function(*args) if function else ()


@cache
def menu_entries() -> tuple[MenuEntry, ...]:
    """Return the entries of all installed apps, by section and order."""
    return sort_entries(
        entry for config in apps.get_app_configs() for entry in _entries_of(config.name)
    )


def sort_entries(entries: Iterable[MenuEntry]) -> tuple[MenuEntry, ...]:
    """Return ``entries`` in the order of SECTIONS and GROUPS; unknown ones are refused."""
    groups = ("", *(group.name for group in GROUPS))
    return tuple(
        sorted(
            entries,
            key=lambda each: (
                SECTIONS.index(each.section),
                groups.index(each.group),
                each.order,
                each.title,
            ),
        )
    )


def _entries_of(app: str) -> tuple[MenuEntry, ...]:
    if find_spec(f"{app}.web") is None or find_spec(f"{app}.web.menu") is None:
        return ()
    entries: tuple[MenuEntry, ...] = import_module(f"{app}.web.menu").MENU
    return entries
