"""Themes: what people and orgs chose, what of it counts, and the style sheet of each."""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse

from apps.accounts.services.users import user_theme_set
from apps.extensions.selectors import (
    is_enabled,
    plugin_choices,
    plugin_client,
    plugin_get,
)
from apps.orgs.services import org_update
from detectviz.contracts.errors import PluginError
from detectviz.contracts.theme import Palette, Theme, palette_problems
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import InvalidFieldsError
from detectviz.web.themes import ThemeSheet, theme_sheet

PLAIN: Final = "-"  # no plugin is called so: the plain look, whatever the org has set
_RETRY_S: Final = 60.0
_SWATCHES: Final = ("canvas", "surface", "ink", "accent", "up", "degraded", "down", "series-2")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeOffer:
    """A theme one can choose, with some of its colours."""

    name: str
    title: str
    description: str
    light: tuple[str, ...]
    dark: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Made:
    fingerprint: str
    sheet: ThemeSheet | None
    until_s: float


class ThemeShelf:
    """The sheets of this process: each version of a theme is asked once, a failing one seldom."""

    def __init__(self) -> None:
        self._made: dict[str, _Made] = {}
        self._lock = threading.Lock()

    def sheet(self, plugin: PluginDescription, org: str | None = None) -> ThemeSheet | None:
        """Return the sheet of a usable theme, None while it fails."""
        kept = self._made.get(plugin.name)
        if kept is None or kept.fingerprint != plugin.fingerprint or _is_over(kept):
            with self._lock:
                kept = self._made[plugin.name] = _made(plugin, org)
        return kept.sheet


def _is_over(made: _Made) -> bool:
    return made.sheet is None and time.monotonic() >= made.until_s


def _made(plugin: PluginDescription, org: str | None) -> _Made:
    def ask(theme: Theme) -> Palette:
        palette = theme.palette()
        problems = palette_problems(palette)
        if problems:
            raise PluginError(f"The theme cannot be used: {problems[0]}", permanent=True)
        return palette

    until_s = time.monotonic() + _RETRY_S
    try:
        palette = plugin_client().call(PluginKind.THEME, plugin.name, "palette", ask, org=org)
    except PluginHostError as error:
        logger.warning("the theme %s is not shown: %s", plugin.name, error)
        return _Made(plugin.fingerprint, None, until_s)
    return _Made(plugin.fingerprint, theme_sheet(palette), until_s)


_shelf = ThemeShelf()


def theme_offers(*, org: Any) -> list[ThemeOffer]:
    """Return the themes people of an org can choose now; those that fail are left out."""
    found = []
    for plugin in plugin_choices(PluginKind.THEME, org):
        sheet = _shelf.sheet(plugin, org.name)
        if sheet is not None:
            manifest = plugin.require()
            found.append(
                ThemeOffer(
                    name=plugin.name,
                    title=manifest.title,
                    description=manifest.description,
                    light=tuple(sheet.palette.light[token] for token in _SWATCHES),
                    dark=tuple(sheet.palette.dark[token] for token in _SWATCHES),
                )
            )
    return found


def theme_address(*, user: Any, org: Any) -> str | None:
    """Return where the style sheet of the theme is that ``user`` sees in ``org``; None: plain.

    What the user chose counts before what the org set; what the org may not use counts nothing.
    Asks no database: both stand in rows that the request has read.
    """
    for name in (user.theme, org.theme):
        if name == PLAIN:
            return None
        plugin = plugin_get(PluginKind.THEME, name) if name else None
        if plugin is not None and plugin.is_usable and is_enabled(plugin, org.name):
            sheet = _shelf.sheet(plugin, org.name)
            if sheet is not None:
                return reverse("extensions:theme-sheet", args=[plugin.name, sheet.digest])
    return None


def theme_sheet_get(*, name: str, digest: str) -> ThemeSheet | None:
    """Return the sheet of an address; None for what there is not, or not any more."""
    plugin = plugin_get(PluginKind.THEME, name)
    if plugin is None or not plugin.is_usable or not is_enabled(plugin, None):
        return None
    sheet = _shelf.sheet(plugin)
    return sheet if sheet is not None and sheet.digest == digest else None


def theme_choose(*, org: Any, user: Any, name: str) -> None:
    """Set what ``user`` sees in every org: a theme, PLAIN, or empty for what each org set.

    Raise InvalidFieldsError for a theme the org does not offer.
    """
    _require_offered(org, name)
    user_theme_set(user=user, theme=name)


def theme_default(*, org: Any, name: str, actor: Any) -> None:
    """Set what people see who chose nothing; empty is the plain look. Raise as theme_choose."""
    _require_offered(org, name)
    org_update(org=org, theme=name, actor=actor)


def _require_offered(org: Any, name: str) -> None:
    if name not in {"", PLAIN, *(offer.name for offer in theme_offers(org=org))}:
        raise InvalidFieldsError({"theme": [f"There is no theme {name!r} in this organisation."]})
