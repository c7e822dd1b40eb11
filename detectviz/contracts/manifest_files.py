"""Manifests of resources in files and at addresses, read document by document.

YAML is bounded, without aliases and tags; only true and false are truth values and times stay
text, as where manifests are applied.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import yaml

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_int, get_text
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.http_endpoint import HttpEndpoint
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_batches import Part, part_batches
from detectviz.contracts.records import RecordError, ResourceRecord
from detectviz.contracts.types import JsonObject, JsonValue

_LARGEST_BYTES: Final = 4 << 20
_DEEPEST: Final = 40
_SHOWN_CHARACTERS: Final = 80


class _Loader(yaml.CSafeLoader):
    """CSafeLoader where only true and false are truth values and times stay text."""


_TAG: Final = "tag:yaml.org,2002:"
_DROPPED: Final = {f"{_TAG}bool", f"{_TAG}timestamp"}
_BOOLEAN: Final = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")  # noqa: TID251 - our own constant
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _DROPPED]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}bool", _BOOLEAN, list("tTfF"))


def manifest_batches(context: ImporterContext, kinds: Mapping[str, str]) -> Iterator[Batch]:
    """Yield the documents of the configured ``path`` or ``url``, from the cursor on.

    ``kinds`` map each kind that is taken to its ``apiVersion``. A document of another kind or shape
    is an error of its batch that tells nothing of its spec. Raise PluginError for what is no YAML.
    """
    documents = list(_documents(_content(context)))
    first = get_int(context.cursor, "document")
    yield from part_batches(
        (_part(documents[place], place + 1, kinds) for place in range(first, len(documents))),
        batch_size=context.batch_size,
        is_cancelled=context.is_cancelled,
        total=len(documents),
    )


def _content(context: ImporterContext) -> bytes:
    path, url = get_text(context.config, "path"), get_text(context.config, "url")
    if bool(path) == bool(url):
        raise ConfigurationError("Give a file or an address, one of both.", field="/path")
    if url:
        content = HttpEndpoint(context, name="The server").fetch(url).body
    else:
        content = _file(Path(context.connector.file(path)))
    if len(content) > _LARGEST_BYTES:
        raise PluginError("The manifests are larger than 4 MiB; divide them.", permanent=True)
    return content


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PluginError(f"{path.name} cannot be read: {reason}.", permanent=True) from error


def _documents(content: bytes) -> Iterator[JsonValue]:
    """Yield every manifest: of lists and of ``List`` their entries."""
    try:
        _require_plain(content)
        found = list(yaml.load_all(content, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        # Neither the excerpt nor the cause: they would show what stands there.
        raise PluginError(f"This is no YAML{place}.", permanent=True) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise PluginError("This is no YAML.", permanent=True) from None
    for document in found:
        if isinstance(document, list):
            yield from document
        elif isinstance(document, dict) and document.get("kind") == "List":
            items = document.get("items")
            yield from items if isinstance(items, list) else [items]
        elif document is not None:
            yield document


def _require_plain(content: bytes) -> None:
    """Refuse aliases, tags of objects and deep nesting before anything is built."""
    depth = 0
    for event in yaml.parse(content, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 0
            message = f"Aliases are not read; there is one in line {line}."
            raise PluginError(message, permanent=True)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise PluginError(f"The manifests nest deeper than {_DEEPEST}.", permanent=True)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _part(document: JsonValue, number: int, kinds: Mapping[str, str]) -> Part:
    cursor: JsonObject = {"document": number}
    problem = _problem(document, kinds)
    if not problem:
        found = ResourceRecord(document=cast("JsonObject", document))
        return Part(records=(found,), cursor=cursor)
    wrong = RecordError(place=f"document {number}", message=problem, sample=_name(document))
    return Part(records=(), cursor=cursor, errors=(wrong,))


def _problem(document: JsonValue, kinds: Mapping[str, str]) -> str:
    """Return what is wrong with a manifest, nothing of its spec; empty when it is one."""
    if not isinstance(document, Mapping):
        return "It is no object."
    kind, metadata = document.get("kind"), document.get("metadata")
    if not isinstance(kind, str) or kind not in kinds:
        return f"Its kind is none of {', '.join(kinds)}."
    if document.get("apiVersion") != kinds[kind]:
        return f"The apiVersion of {kind} is {kinds[kind]}."
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        return "metadata.name is missing."
    if not isinstance(document.get("spec"), Mapping):
        return "spec is no object."
    return "" if _is_json(document) else "It holds keys that are no texts."


def _is_json(value: object) -> bool:
    """Say whether JSON can hold a value YAML made."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, (str, int, float, bool))


def _name(document: JsonValue) -> str:
    """Return kind and name of a manifest as far as they are texts."""
    if not isinstance(document, Mapping):
        return ""
    metadata = document.get("metadata")
    parts = (document.get("kind"), metadata.get("name") if isinstance(metadata, Mapping) else None)
    return "/".join(part[:_SHOWN_CHARACTERS] for part in parts if isinstance(part, str))
