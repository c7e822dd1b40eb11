"""Read YAML from strangers: bounded, without aliases, and with YAML 1.2's idea of a boolean."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from detectviz.resources.errors import DomainError

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40


class MalformedYamlError(DomainError):
    """The text is no acceptable YAML; the message names line and column."""

    code = "malformed-yaml"


class _Loader(yaml.CSafeLoader):
    """CSafeLoader where only true/false are booleans, dates stay strings and keys are unique."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Refuse a key that is written twice: of its values the last would win silently."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value[:100]!r} is written twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return super().construct_mapping(node, deep)


# YAML 1.1 reads `on`, `no`, 1:30 and 2026-01-01 as booleans, numbers and dates; people mean text.
_BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")  # noqa: TID251 - our own constant
_DROPPED = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int"}
_INTEGER = re.compile(r"^[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$")  # noqa: TID251 - our own constant
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _DROPPED]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))


def load_documents(text: str | bytes) -> list[Any]:
    """Return every document of ``text``; raise MalformedYamlError with line and column."""
    if len(text) > MAX_BYTES:
        raise MalformedYamlError(f"The document is larger than {MAX_BYTES // 1024} KiB.")
    try:
        _check_shape(text)
        return [document for document in _load_all(text) if document is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise MalformedYamlError(f"Not valid YAML{place}: {error.problem or error}.") from error
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise MalformedYamlError(f"Not valid YAML: {error}.") from error


def compose_documents(text: str | bytes) -> list[yaml.Node]:
    """Return the nodes of a text that ``load_documents`` took, with the marks where they stand."""
    nodes: list[yaml.Node] = list(yaml.compose_all(text, Loader=_Loader))
    return [node for node in nodes if node.tag != "tag:yaml.org,2002:null"]


def _load_all(text: str | bytes) -> Iterator[Any]:
    yield from yaml.load_all(text, Loader=_Loader)


def _check_shape(text: str | bytes) -> None:
    """Refuse aliases (they multiply) and deep nesting before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            place = f"Line {event.start_mark.line + 1}: " if event.start_mark else ""
            raise MalformedYamlError(f"{place}YAML aliases are not accepted; write it out.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise MalformedYamlError(f"Nested deeper than {MAX_DEPTH} levels.")


def dump_documents(documents: list[Any]) -> str:
    """Return the documents as YAML, keys in the given order."""
    return yaml.dump_all(documents, sort_keys=False, allow_unicode=True, Dumper=yaml.CSafeDumper)
