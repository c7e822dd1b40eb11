"""Everything a composition must be, in itself: its form, then what its parts say of each other."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import orjson

from detectviz.composition.documents import Document, document_read
from detectviz.composition.model import Composition, composition_of
from detectviz.composition.problems import CompositionError, CompositionProblem
from detectviz.composition.references import secrets_in
from detectviz.composition.resolving import resolving_problems
from detectviz.composition.scaling import scaling_problems
from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.explain import find_problems

SCHEMA_FILE = Path(__file__).with_name("composition.schema.json")


@cache
def composition_schema() -> JsonObject:
    """Return the JSON Schema of ``composition.yaml``."""
    schema: JsonObject = orjson.loads(SCHEMA_FILE.read_bytes())
    return schema


def composition_read(text: str, path: str) -> tuple[Composition, Document]:
    """Return the composition of a YAML text; raise CompositionError with every problem."""
    document = document_read(text, path)
    problems = [
        document.problem(found.field, found.message)
        for found in find_problems(composition_schema(), document.value)
    ]
    if problems:
        raise CompositionError(problems)
    composition = composition_of(document.value)
    found = [
        *_secret_problems(document),
        *resolving_problems(composition, document),
        *scaling_problems(composition, document),
    ]
    if found:
        raise CompositionError(sorted(found, key=lambda problem: problem.line))
    return composition, document


def _secret_problems(document: Document) -> Iterator[CompositionProblem]:
    """Refuse secrets that stand in the file, where whoever reads it could read them."""
    for where in secrets_in(_part(document.value, "spec"), "/spec"):
        yield document.problem(
            where,
            "A secret does not stand in a composition; write {env: VARIABLE} or {file: /path} "
            "and put it there.",
        )


def _part(value: JsonObject, name: str) -> JsonValue:
    part = value.get(name)
    return part if isinstance(part, Mapping) else {}
