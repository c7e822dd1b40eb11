"""Visualizers: which an org can use, and what one makes of frames."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.extensions.selectors import plugin_client
from apps.extensions.services.configuration import configuration_check
from detectviz.contracts.drawings import Drawing, drawing_problems
from detectviz.contracts.errors import PluginError
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.contracts.visualizer import Visualizer, VisualizerContext
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.errors import PluginHostError
from detectviz.queries.caps import plain_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A drawing that keeps to the contract, or the sentence that says why there is none."""

    drawing: Drawing | None = None
    problem: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to draw."""
        return self.drawing is not None and self.drawing == Drawing(title=self.drawing.title)


def visualizer_config(*, plugin: PluginDescription, config: Mapping[str, Any]) -> JsonObject:
    """Return options with their defaults; raise InvalidFieldsError, fields below the name."""
    checked = configuration_check(
        manifest=plugin.require(),
        config=config,
        secrets={},
        stored=None,
        names=(plugin.name, "secrets"),
    )
    return checked.config


def visualizer_draw(
    *, org: Any, plugin: PluginDescription, frames: Sequence[Frame], config: JsonObject
) -> Drawn:
    """Have a visualizer of ``org`` draw frames; never raises for what the plugin does.

    ``config`` comes from ``visualizer_config``.
    """
    context = VisualizerContext(
        config=config, logger=logging.getLogger(f"detectviz.visualizers.{plugin.name}")
    )
    plain = [_plain(frame) for frame in frames]

    def draw(visualizer: Visualizer) -> Drawing:
        drawing = visualizer.visualize(plain, context)
        problems = drawing_problems(drawing)
        if problems:
            raise PluginError(problems[0], permanent=True)
        return drawing

    try:
        drawing = plugin_client().call(
            PluginKind.VISUALIZER, plugin.name, "visualize", draw, org=org.name
        )
    except PluginHostError as error:
        return Drawn(problem=str(error))
    return Drawn(drawing=drawing)


def _plain(frame: Frame) -> Frame:
    """Return the frame with Python's own values, which is what plugins are promised."""
    fields: list[Any] = []
    for each in frame.fields:
        values: list[JsonValue] = plain_values(each)  # type: ignore[assignment]  # JSON by contract
        fields.append(replace(each, values=values))
    return replace(frame, fields=tuple(fields))
