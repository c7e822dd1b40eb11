"""From an address to queries of a datasource: every field of the editor stands in the address."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from apps.series.web.forms import MOST_POINTS, POINTS, Asked
from detectviz.clock import to_ms
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.forms import form_fields
from detectviz.queries.document import read_request
from detectviz.queries.errors import DocumentError
from detectviz.queries.model import EXPRESSIONS, QueryRequest
from detectviz.web.forms import SchemaForm
from detectviz.web.parsing import parse_form

LETTERS = "ABCDE"
_LONGEST_EXPRESSIONS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAsked:
    """Queries of an address: models by letter, expressions as written. ``problem`` is in words."""

    models: Mapping[str, JsonObject]
    expressions: str = ""
    is_asked: bool = False
    problem: str = ""
    request: QueryRequest | None = field(default=None, repr=False)


def source_asked(
    query: QueryDict, schema: JsonObject, datasource: str, found: Asked
) -> SourceAsked:
    """Read the queries; ``datasource`` is the uid all of them but expressions ask."""
    letters = LETTERS[: _count(query)]
    models = {letter: _model(query, schema, letter) for letter in letters}
    text = query.get("expressions", "").replace("\x00", "").strip()[:_LONGEST_EXPRESSIONS]
    is_asked = "run" in query
    made, problem = None, ""
    if is_asked:
        try:
            made = read_request(_document(models, text, datasource, found), now_ms=_end_ms(found))
        except DocumentError as error:
            problem = str(error)
    return SourceAsked(
        models=models, expressions=text, is_asked=is_asked, problem=problem, request=made
    )


def query_form(schema: JsonObject, letter: str, model: JsonObject) -> SchemaForm:
    """Return the fields of one query, named after its letter."""
    return SchemaForm(form_fields(schema, (letter,)), {letter: model})


def _count(query: QueryDict) -> int:
    text = query.get("rows", "1")
    wanted = int(text) if text in {"1", "2", "3", "4", "5"} else 1
    change = {"add": 1, "remove": -1}.get(query.get("change", ""), 0)
    return min(max(wanted + change, 1), len(LETTERS))


def _model(query: QueryDict, schema: JsonObject, letter: str) -> JsonObject:
    model = parse_form(form_fields(schema, (letter,)), query).get(letter, {})
    return model if isinstance(model, Mapping) else {}


def _end_ms(found: Asked) -> int:
    return to_ms(found.window.end)


def _document(
    models: Mapping[str, JsonObject], expressions: str, datasource: str, found: Asked
) -> dict[str, Any]:
    end_ms, window = _end_ms(found), found.window
    common: dict[str, Any] = {"max_data_points": POINTS}
    if found.step and "step" not in found.problems:
        common = {"max_data_points": MOST_POINTS, "interval_ms": window.step_ms}
    asked = [
        {**model, "ref_id": letter, "datasource": datasource, **common}
        for letter, model in models.items()
    ]
    return {
        "from": end_ms - window.range_ms,
        "to": end_ms,
        "queries": [*asked, *(each | common for each in _expressions(expressions))],
    }


def _expressions(text: str) -> list[dict[str, Any]]:
    if not text:
        return []
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError("expressions", f"is no JSON: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
        raise DocumentError("expressions", "must be a JSON list of objects")
    return [{**each, "datasource": EXPRESSIONS} for each in rows]
