"""The last lines each plugin wrote to its log, kept in the memory of this process."""

import logging
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginKey

LINES_KEPT: Final = 50
_MOST_TEXT: Final = 500
_PARTS: Final = 3  # detectviz, kind, plugin
_CHILDREN: Final = "plugins"  # detectviz.plugins.<kind>.<plugin>: what a process apart says
_KINDS: Final = frozenset(kind.value for kind in PluginKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One record; ``level`` is a word such as WARNING."""

    at: datetime
    level: str
    text: str


class PluginJournal(logging.Handler):
    """Keeps the latest records of the loggers ``detectviz.<kind>.<plugin>``, and of children.

    What a plugin logs may be about any org: show it to platform administrators only.
    """

    def __init__(self, lines_kept: int = LINES_KEPT) -> None:
        super().__init__()
        self._lines_kept = lines_kept
        self._lines: dict[PluginKey, deque[LogLine]] = {}
        self._keys = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record of a plugin; any other is passed over."""
        key = _key_of(record.name)
        if key is None:
            return
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - as logging itself: a bad record breaks nobody's work
            self.handleError(record)
            return
        line = LogLine(
            at=datetime.fromtimestamp(record.created, UTC),
            level=record.levelname,
            text=text[:_MOST_TEXT],
        )
        with self._keys:
            self._lines.setdefault(key, deque(maxlen=self._lines_kept)).append(line)

    def lines(self, key: PluginKey) -> tuple[LogLine, ...]:
        """Return what is kept of a plugin, the latest first."""
        with self._keys:
            return tuple(reversed(self._lines.get(key, ())))


def _key_of(name: str) -> PluginKey | None:
    parts = [each for place, each in enumerate(name.split(".")) if (place, each) != (1, _CHILDREN)]
    if len(parts) < _PARTS or parts[1] not in _KINDS:
        return None
    return PluginKind(parts[1]), parts[2]


journal = PluginJournal()


def journal_handler() -> PluginJournal:
    """Return this process's journal, as the logging configuration asks for it by name."""
    return journal
