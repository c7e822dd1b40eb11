"""Levels of lines, in OpenTelemetry's words."""

import re
from typing import Final

from detectviz.contracts.types import JsonObject

LEVELS: Final = ("trace", "debug", "info", "warn", "error", "fatal")
_ATTRIBUTES: Final = ("level", "severity", "lvl", "loglevel")
_WORDS: Final = {
    **{level: level for level in LEVELS},
    **dict.fromkeys(("verbose", "trc"), "trace"),
    **dict.fromkeys(("dbg", "fine"), "debug"),
    **dict.fromkeys(("information", "informational", "inf", "notice"), "info"),
    **dict.fromkeys(("warning", "wrn"), "warn"),
    **dict.fromkeys(("err", "eror", "severe"), "error"),
    **dict.fromkeys(("critical", "crit", "alert", "emerg", "emergency", "panic", "ftl"), "fatal"),
}
_WORD: Final = re.compile(r"[A-Za-z]+")  # noqa: TID251 - our own constant
_LOOKED_AT: Final = 120


def find_level(body: str, attributes: JsonObject) -> str:
    """Return the level an attribute names, else the first word for one near the line's beginning.

    Empty when there is neither. In the text only words in capitals or in brackets count, so that
    "no error found" is no error.
    """
    for name in _ATTRIBUTES:
        level = _WORDS.get(str(attributes.get(name, "")).lower())
        if level:
            return level
    beginning = body[:_LOOKED_AT]
    for match in _WORD.finditer(beginning):
        word = match[0]
        around = beginning[max(match.start() - 1, 0) : match.end() + 1]
        if word.lower() in _WORDS and (word.isupper() or around == f"[{word}]"):
            return _WORDS[word.lower()]
    return ""


def is_lower(level: str, least: str) -> bool:
    """Tell whether a level is known and lower than ``least``."""
    return bool(level and least) and LEVELS.index(level) < LEVELS.index(least)
