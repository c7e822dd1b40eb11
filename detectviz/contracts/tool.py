"""Tools: one verb, ``run``. What an operator asks now and then, beside what is watched always."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from detectviz.contracts.drawings import Drawing
from detectviz.contracts.network import Network
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """Everything one run may use. ``config`` has passed the plugin's schema, defaults filled."""

    config: JsonObject
    timeout_s: float
    network: Network
    now: Callable[[], datetime]
    logger: logging.Logger


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswer:
    """What came of a run: whether all is well, a sentence, and what to show."""

    is_ok: bool
    summary: str
    drawings: tuple[Drawing, ...] = ()


class Tool(Protocol):
    """A tool plugin's capability class; constructed once per process, without arguments."""

    async def run(self, context: ToolContext) -> ToolAnswer:
        """Find out, within ``context.timeout_s``; raise PluginError when nothing can be said.

        What is asked for being broken is an answer (``is_ok`` false), not an error.
        """
