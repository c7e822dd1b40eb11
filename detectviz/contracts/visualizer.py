"""Visualizers: one verb, ``visualize``. They make drawings of frames, without the network."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from detectviz.contracts.drawings import Drawing
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualizerContext:
    """Everything one call may use. ``config`` has passed the plugin's schema, defaults filled."""

    config: JsonObject
    logger: logging.Logger


class Visualizer(Protocol):
    """A visualizer plugin's capability class; constructed once per process, without arguments."""

    def visualize(self, frames: Sequence[Frame], context: VisualizerContext) -> Drawing:
        """Return what is shown of ``frames``; raise PluginError for shapes it cannot show.

        No frames and empty ones are an empty drawing. The same frames give the same drawing.
        """
