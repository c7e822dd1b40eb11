"""Put variables into query texts."""

from collections.abc import Mapping, Sequence
from typing import Any

from detectviz.contracts.types import JsonObject
from detectviz.queries.errors import VariableError
from detectviz.queries.variables.escaping import escaped
from detectviz.queries.variables.lexicons import LEXICONS
from detectviz.queries.variables.model import Language, Variables
from detectviz.queries.variables.scanner import dollar_tags, mentions, scan

_DEEPEST = 20
KEYWORD = "x-language"
_DOLLAR_QUOTED = frozenset({Language.POSTGRESQL, Language.CLICKHOUSE})


def interpolate(text: str, language: Language, variables: Variables) -> str:
    """Return a text with its variables in their places; names of no variable stay as they are.

    Raise VariableError where a value cannot stand. Values are never looked at for variables.
    """
    if not mentions(text, variables):
        return text
    if language in _DOLLAR_QUOTED and dollar_tags(text, variables):
        raise VariableError("variables cannot stand beside $tag$ … $tag$ texts")
    return "".join(
        piece if isinstance(piece, str) else escaped(language, variables[piece.name], piece)
        for piece in scan(text, LEXICONS[language], variables)
    )


def interpolate_model(model: JsonObject, schema: JsonObject, variables: Variables) -> JsonObject:
    """Return a query's model with variables in all texts whose schema names their language.

    A text of which the schema says nothing is never touched. Raise VariableError naming it.
    """
    found: JsonObject = _walked(model, schema, variables, "", 0)
    return found


def _walked(value: Any, schema: Any, variables: Variables, path: str, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return value
    if isinstance(value, str):
        return _text(value, schema.get(KEYWORD), variables, path)
    if isinstance(value, Mapping):
        properties = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        return {
            name: _walked(
                each, properties.get(name, others), variables, f"{path}.{name}", depth + 1
            )
            for name, each in value.items()
        }
    if isinstance(value, Sequence):
        return [
            _walked(each, schema.get("items"), variables, f"{path}[{place}]", depth + 1)
            for place, each in enumerate(value)
        ]
    return value


def _text(value: str, language: Any, variables: Variables, path: str) -> str:
    if not isinstance(language, str):
        return value
    try:
        return interpolate(value, Language(language), variables)
    except VariableError as error:
        raise VariableError(f"{path.removeprefix('.')}: {error.message}") from None
