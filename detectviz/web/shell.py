"""What stands around every page: the org, the menu, the orgs to switch to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from detectviz.tenancy.context import all_orgs_scope
from detectviz.tenancy.selectors import org_list_of
from detectviz.web.menu import (
    GROUPS,
    MenuEntry,
    MenuGroup,
    entries_for,
    menu_entries,
    sheets_of,
)
from detectviz.web.scope import OrgScope

UNFOLDED = "side_unfolded"  # a cookie: the server draws the menu as it was left, nothing jumps


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of the sidebar."""

    title: str
    icon: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkGroup:
    """Links that fold away under a title; unfolded where one left it so, and around the page."""

    group: MenuGroup
    links: tuple[Link, ...]
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuSection:
    """A heading of the sidebar with its links, and with groups of further ones."""

    title: str
    links: tuple[Link, ...]
    groups: tuple[LinkGroup, ...] = ()


class Shell:
    """Computed when ``base.html`` asks: fragments pay nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def scope(self) -> OrgScope | None:
        """The scope that ``org_page`` resolved, None on pages of no org."""
        return getattr(self._request, "org_scope", None)

    @cached_property
    def sections(self) -> tuple[MenuSection, ...]:
        """The menu entries whose permission the user holds, by section."""
        found = []
        for title, entries in groupby(self._entries(), key=lambda each: each.section):
            by_group = groupby(entries, key=lambda each: each.group)
            links = {name: tuple(self._links(each)) for name, each in by_group}
            if any(links.values()):
                section = MenuSection(
                    title=title, links=links.get("", ()), groups=tuple(self._groups(links))
                )
                found.append(section)
        return tuple(found)

    @cached_property
    def sheets(self) -> tuple[str, ...]:
        """The addresses of the theme's style sheets; none on pages of no org."""
        return () if self.scope is None else sheets_of(self.scope)

    @cached_property
    def orgs(self) -> tuple[Any, ...]:
        """The orgs the user may switch to."""
        with all_orgs_scope(reason="the switcher lists every org of the user"):
            return tuple(org_list_of(self._request.user)[:200])

    def _entries(self) -> tuple[MenuEntry, ...]:
        return menu_entries() if self.scope is None else entries_for(self.scope)

    def _groups(self, links: Mapping[str, tuple[Link, ...]]) -> Iterator[LinkGroup]:
        unfolded = self._request.COOKIES.get(UNFOLDED, "").split(".")
        for group in GROUPS:
            if own := links.get(group.name):
                is_open = group.name in unfolded or any(link.is_current for link in own)
                yield LinkGroup(group=group, links=own, is_open=is_open)

    def _links(self, entries: Iterator[MenuEntry]) -> Iterator[Link]:
        scope = self.scope
        match = self._request.resolver_match
        route = match.view_name if match else ""
        for entry in entries:
            if scope is not None and scope.can(entry.permission):
                url = reverse(entry.route, args=[scope.org.name, *entry.args])
                is_current = self._request.path == url if entry.args else entry.is_current(route)
                yield Link(title=entry.title, icon=entry.icon, url=url, is_current=is_current)


def shell(request: HttpRequest) -> dict[str, Shell]:
    """Give every template its ``shell``."""
    return {"shell": Shell(request)}
