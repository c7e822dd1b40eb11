"""JSON and YAML in and out."""

import json
from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from detectviz.resources.yaml import (
    MAX_DEPTH,
    MalformedYamlError,
    dump_documents,
    load_documents,
)


class JsonParser(BaseParser):
    """JSON by orjson; errors name line and column."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the decoded body."""
        body = stream.read()
        try:
            data = orjson.loads(body) if body.strip() else {}
        except orjson.JSONDecodeError as error:
            raise ParseError(f"Not valid JSON: {error}.") from error
        _check_depth(data, 0)
        if data:
            # Of two values under one key orjson takes the last and says nothing; people mean both.
            json.loads(body, object_pairs_hook=_check_keys)
        return data


class MergePatchParser(JsonParser):
    """The same under its PATCH name (RFC 7396)."""

    media_type = "application/merge-patch+json"


class YamlParser(BaseParser):
    """One YAML document."""

    media_type = "application/yaml"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the decoded document."""
        documents = load_documents(stream.read())
        if len(documents) > 1:
            raise MalformedYamlError("Send one document here, or several to …/apply.")
        return documents[0] if documents else {}


class JsonRenderer(BaseRenderer):
    """JSON by orjson."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the encoded body; empty for no content."""
        if data is None:
            return b""
        return orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS)


class ProblemRenderer(JsonRenderer):
    """Problem details (RFC 9457); chosen by the exception handler, never negotiated."""

    media_type = "application/problem+json"
    format = "problem"


class YamlRenderer(BaseRenderer):
    """YAML; a list answers as one document per item."""

    media_type = "application/yaml"
    format = "yaml"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the encoded body."""
        if data is None:
            return b""
        plain = orjson.loads(orjson.dumps(data, default=str))
        documents = plain["items"] if isinstance(plain, dict) and "items" in plain else [plain]
        return dump_documents(documents).encode()


def _check_depth(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ParseError(f"Nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, dict):
        for item in value.values():
            _check_depth(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_depth(item, depth + 1)


def _check_keys(pairs: list[tuple[str, Any]]) -> None:
    if len(keys := {key for key, _ in pairs}) == len(pairs):
        return
    names = [key for key, _ in pairs]
    doubled = next(key for key in sorted(keys) if names.count(key) > 1)
    raise ParseError(f"The key {doubled[:100]!r} is written twice in one object.")
