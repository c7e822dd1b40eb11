"""The labels every resource has beside its spec, as rows of a form."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from django.http import QueryDict

from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.resources.envelope import label_errors
from detectviz.web.forms import Errors
from detectviz.web.parsing import parse_form

_ROWS: Final = "metadata/labels"  # a spec may have labels of its own
_LABELS: Final[JsonObject] = {
    "type": "object",
    "title": "Labels",
    "description": "Names and values to find it by, here and for other programs. "
    "Alerts do not get them.",
    "x-group": "Labels",
}


@cache
def label_fields() -> tuple[FormField, ...]:
    """Return the field that asks for the labels."""
    asked = form_fields({"type": "object", "properties": {"labels": _LABELS}})
    return tuple(replace(one, name=_ROWS) for one in asked)


def labels_document(labels: Mapping[str, str]) -> JsonObject:
    """Return labels as the document that the field shows."""
    return {"metadata": {"labels": dict(labels)}}


def labels_submitted(data: QueryDict, stored: Mapping[str, str]) -> Mapping[str, str]:
    """Return the labels that were submitted, those there are where none were asked."""
    metadata: Any = parse_form(label_fields(), data).get("metadata", {})
    labels: Mapping[str, str] = metadata.get("labels", stored)
    return labels


def labels_problems(labels: Mapping[str, str]) -> Errors:
    """Return what is wrong with labels, at their field."""
    found = [_about(path, texts) for path, texts in label_errors(labels).items()]
    return {_ROWS: found} if found else {}


def _about(path: str, texts: Sequence[str]) -> str:
    name = path.removeprefix("metadata.labels").removeprefix(".")
    return f"{name}: {' '.join(texts)}" if name else " ".join(texts)
