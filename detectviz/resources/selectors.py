"""Lists: filters, search and keyset pages over any kind."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import In, IsNull

from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.label_selector import Requirement, parse_label_selector
from detectviz.resources.models import is_name
from detectviz.resources.registry import ResourceKind

DEFAULT_LIMIT = 100
MAX_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What a list was asked for; strings are as the client sent them."""

    limit: int = DEFAULT_LIMIT
    continue_token: str = ""
    label_selector: str = ""
    field_selector: str = ""
    search: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows and the token of the next ("" at the end)."""

    rows: list[Any]
    continue_token: str


def resource_list(
    kind: ResourceKind[Any], queryset: "models.QuerySet[Any]", query: ListQuery
) -> Page:
    """Return one page of ``queryset`` (already limited to what the caller may see), by name."""
    rows = resource_filter(kind, queryset, query).order_by("name")
    if query.continue_token:
        rows = rows.filter(name__gt=_decode_token(query.continue_token))
    found = list(rows[: query.limit + 1])
    more = len(found) > query.limit
    found = found[: query.limit]
    kind.load(found)
    return Page(found, _encode_token(found[-1].name) if more else "")


def resource_filter(
    kind: ResourceKind[Any], queryset: "models.QuerySet[Any]", query: ListQuery
) -> "models.QuerySet[Any]":
    """Apply the selectors and the search of ``query``."""
    for requirement in parse_label_selector(query.label_selector):
        queryset = queryset.filter(label_condition(requirement))
    for lookup, negate, value in _field_conditions(kind, query.field_selector):
        condition = Q(**{lookup: value})
        try:
            queryset = queryset.exclude(condition) if negate else queryset.filter(condition)
        except (ValidationError, ValueError, TypeError) as error:
            raise InvalidFieldsError(
                {"field_selector": [f"{value!r} can't be compared with this field."]}
            ) from error
    if query.folder:
        queryset = queryset.filter(folder__name=query.folder)
    if query.search:
        condition = Q()
        for field in kind.search_fields:
            condition |= Q(**{f"{field}__icontains": query.search})
        queryset = queryset.filter(condition)
    return queryset


def label_condition(requirement: Requirement) -> Q:
    key = KeyTextTransform(requirement.key, F("labels"))
    match requirement.op:
        case "exists":
            return Q(IsNull(key, False))
        case "absent":
            return Q(IsNull(key, True))
        case "in":
            return Q(In(key, [Value(value) for value in requirement.values]))
        case "notin":
            return Q(IsNull(key, True)) | ~Q(
                In(key, [Value(value) for value in requirement.values])
            )


def _field_conditions(kind: ResourceKind[Any], selector: str) -> list[tuple[str, bool, str | bool]]:
    """Parse ``spec.type=http,status.state!=up``."""
    conditions: list[tuple[str, bool, str | bool]] = []
    for part in filter(None, (part.strip() for part in selector.split(","))):
        path, _, value = part.partition("=")
        negate = path.endswith("!")
        path = path.rstrip("!").strip()
        lookup = kind.field_selectors.get(path)
        if "=" not in part or lookup is None:
            known = ", ".join(kind.field_selectors) or "none"
            raise InvalidFieldsError(
                {"field_selector": [f"{part!r} is not understood. Known fields: {known}."]}
            )
        value = value.removeprefix("=").strip()
        conditions.append((lookup, negate, {"true": True, "false": False}.get(value, value)))
    return conditions


def _encode_token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _decode_token(token: str) -> str:
    try:
        name = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        name = ""
    if not is_name(name):
        raise InvalidFieldsError({"continue": ["Not a token this list gave out."]})
    return name
