"""Read YAML and remember on which line every node stands."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from detectviz.composition.problems import CompositionError, CompositionProblem
from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.explain import pointer

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")  # noqa: TID251 - our own constant
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]+")  # noqa: TID251 - our own constant
_WORDS: Mapping[str, JsonValue] = {"true": True, "false": False, "null": None, "~": None, "": None}

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document as JSON would have it. ``lines`` has the line of each JSON pointer."""

    path: str
    value: JsonObject
    lines: Mapping[str, int] = field(repr=False)

    def line_of(self, where: str) -> int:
        """Return the line of a pointer; of what is not there, the line of what should hold it."""
        while where and where not in self.lines:
            where = where.rpartition("/")[0]
        return self.lines.get(where, 1)

    def problem(self, where: str, message: str) -> CompositionProblem:
        """Return a problem at a pointer."""
        return CompositionProblem(
            path=self.path, line=self.line_of(where), pointer=where, message=message
        )


def document_read(text: str, path: str) -> Document:
    """Return the one document of ``text``; raise CompositionError naming the line."""
    reader = _Reader(path)
    if len(text) > MAX_BYTES:
        raise reader.error(1, f"The file is larger than {MAX_BYTES // 1024} KiB; shorten it.")
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise reader.error(line, f"Not valid YAML: {error.problem}; correct it.") from error
    except yaml.YAMLError as error:
        raise reader.error(1, f"Not valid YAML: {error}; correct it.") from error
    if len(nodes) != 1 or nodes[0] is None:
        line = nodes[1].start_mark.line + 1 if len(nodes) > 1 else 1
        raise reader.error(line, "A file holds one composition; write exactly one document.")
    value = reader.read(nodes[0], ())
    if not isinstance(value, Mapping):
        raise reader.error(1, "A composition is an object; begin with apiVersion and kind.")
    return Document(path, value, reader.lines)


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[str, int] = {}
        self._seen: set[int] = set()

    def error(self, line: int, message: str, where: str = "") -> CompositionError:
        problem = CompositionProblem(path=self.path, line=line, pointer=where, message=message)
        return CompositionError([problem])

    def read(self, node: yaml.Node, path: Path) -> JsonValue:
        where, line = pointer(path), node.start_mark.line + 1
        self.lines.setdefault(where, line)
        if len(path) > MAX_DEPTH:
            raise self.error(line, f"Nested deeper than {MAX_DEPTH} levels; flatten it.", where)
        if id(node) in self._seen:
            raise self.error(line, "YAML aliases are not accepted; write it out.", where)
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(inner, (*path, index)) for index, inner in enumerate(node.value)]
        return _scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def _read_mapping(self, node: yaml.MappingNode, path: Path) -> JsonObject:
        value: dict[str, JsonValue] = {}
        for key, inner in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(line, "A key must be text; write a word.", pointer(path))
            name = str(key.value)
            here = (*path, name)
            if name in value:
                message = f"The key {name[:100]} is written twice; remove one."
                raise self.error(line, message, pointer(here))
            self.lines[pointer(here)] = line
            value[name] = self.read(inner, here)
        return value


def _scalar(node: yaml.ScalarNode) -> JsonValue:
    """Return what people mean: only true and false are booleans, and dates are text."""
    text = str(node.value)
    if node.style:  # quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
