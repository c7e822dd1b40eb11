"""What Explore shows answers as: its own views, or a visualizer of the org, all in the address."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import QueryDict

from apps.extensions.selectors import plugin_choices
from apps.extensions.services.visualizers import Drawn, visualizer_config, visualizer_draw
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.forms import form_fields
from detectviz.resources.errors import InvalidFieldsError
from detectviz.web.forms import Errors, SchemaForm, field_errors
from detectviz.web.parsing import PRESENT, parse_form

PREFIX = "visualizers/"  # before the name of the plugin, as everywhere


def views_of(org: Any, own: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of ``view``: a page's own, and one for each visualizer of the org."""
    return (*own, *(f"{PREFIX}{each.name}" for each in _visualizers(org)))


def is_visualizer(view: str) -> bool:
    """Say whether answers are handed to a plugin."""
    return view.startswith(PREFIX)


@dataclass(frozen=True)
class Showing:
    """The choice of views of one address, and what the chosen visualizer makes of the answers.

    Options of a visualizer are named after it (``bar/value``), so that they survive other choices.
    """

    org: Any
    view: str
    own: tuple[str, ...]
    query: QueryDict

    @property
    def groups(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Values of ``view`` with their titles: the page's own, and those of plugins if any."""
        own = [(name, name.capitalize()) for name in self.own]
        plugins = [(f"{PREFIX}{each.name}", each.require().title) for each in self._plugins]
        return [("Explore", own), *([("Visualizers", plugins)] if plugins else [])]

    @property
    def is_drawn(self) -> bool:
        """Whether a visualizer is chosen."""
        return self._plugin is not None

    @cached_property
    def form(self) -> SchemaForm | None:
        """The options of the chosen visualizer; None where there are none."""
        if self._plugin is None:
            return None
        fields = form_fields(self._plugin.require().config_schema, (self._plugin.name,))
        return SchemaForm(fields, self._document, self._judged[1]) if fields else None

    @property
    def options(self) -> list[tuple[str, str]]:
        """What the address says of visualizers: names of inputs with their texts."""
        return [(name, text) for name, text in self._pairs() if self._is_option(name)]

    @property
    def others(self) -> list[tuple[str, str]]:
        """Everything else of the address, for the form that changes the view."""
        kept = {"view", "change"}
        own = f"{self._plugin.name}/" if self._plugin else ""
        return [
            (name, text)
            for name, text in self._pairs()
            if name not in kept and not (own and name.removeprefix(PRESENT).startswith(own))
        ]

    def draw(self, frames: Sequence[Frame]) -> Drawn:
        """Hand the frames to the chosen visualizer."""
        if self._plugin is None:
            return Drawn()
        config, errors = self._judged
        if errors:
            return Drawn(problem="Correct the options, then show it.")
        return visualizer_draw(org=self.org, plugin=self._plugin, frames=frames, config=config)

    @cached_property
    def _plugins(self) -> tuple[PluginDescription, ...]:
        return _visualizers(self.org)

    @cached_property
    def _plugin(self) -> PluginDescription | None:
        found = (each for each in self._plugins if f"{PREFIX}{each.name}" == self.view)
        return next(found, None)

    @cached_property
    def _document(self) -> dict[str, Any]:
        assert self._plugin is not None
        fields = form_fields(self._plugin.require().config_schema, (self._plugin.name,))
        return dict(parse_form(fields, self.query))

    def _pairs(self) -> list[tuple[str, str]]:
        return [(name, text) for name, texts in self.query.lists() for text in texts]

    def _is_option(self, name: str) -> bool:
        start = name.removeprefix(PRESENT).partition("/")[0]
        return "/" in name and any(each.name == start for each in self._plugins)

    @cached_property
    def _judged(self) -> tuple[JsonObject, Errors]:
        assert self._plugin is not None
        given = self._document.get(self._plugin.name, {})
        try:
            return visualizer_config(plugin=self._plugin, config=given), {}
        except InvalidFieldsError as error:
            return {}, field_errors(error.fields)


def _visualizers(org: Any) -> tuple[PluginDescription, ...]:
    return plugin_choices(PluginKind.VISUALIZER, org)
