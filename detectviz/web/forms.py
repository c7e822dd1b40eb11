"""Forms made from the fields of a JSON Schema, filled from a document and its errors."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.forms import Choice, FormField

Errors: TypeAlias = Mapping[str, Sequence[str]]
_PLACEHOLDERS = ("__row__", "__inner__", "__innermost__")  # lists in lists: each its own
_INPUTS = {"date": "date", "time": "time", "datetime-local": "datetime-local"}
_INDEX = re.compile(r"\[(\d+)\]")  # noqa: TID251 - a constant pattern of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundRow:
    """One entry of a list of objects (``fields``) or of a map (``key`` and ``value``)."""

    name: str
    fields: tuple["BoundField", ...] = ()
    key: str = ""
    value: str = ""

    @property
    def sections(self) -> "tuple[Section, ...]":
        """The fields by group, as those of a form."""
        return sections_of(self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundField:
    """A field with what it holds. ``name`` is that of the HTML input, ``config/auth/method``."""

    field: FormField
    name: str
    value: JsonValue = None
    errors: tuple[str, ...] = ()
    is_set: bool = False
    is_visible: bool = True
    fields: tuple["BoundField", ...] = ()
    rows: tuple[BoundRow, ...] = ()
    blank: BoundRow | None = None

    @property
    def id(self) -> str:
        """The HTML id of the input."""
        return f"f-{self.name.replace('/', '-')}"

    @property
    def placeholder(self) -> str:
        """What stands for the number of a new row in the blank one."""
        return placeholder_of(self.name)

    @property
    def described_by(self) -> str:
        """The ids of help and errors, for ``aria-describedby``."""
        parts = [("help", self.field.help or self.field.type == "secret"), ("error", self.errors)]
        return " ".join(f"{self.id}-{part}" for part, is_there in parts if is_there)

    @property
    def template(self) -> str:
        """The template that draws the field."""
        return f"components/fields/{self._widget}.html"

    @property
    def _widget(self) -> str:
        if self.field.type == "list":
            return "rows" if self.blank else "lines"
        if self.field.type == "select" and self.field.is_multiple:
            return "checkboxes"
        return "group" if self.field.type == "object-group" else self.field.type

    @property
    def input_type(self) -> str:
        """The type of the HTML input of a text."""
        return _INPUTS.get(self.field.format, "text")

    @property
    def is_wide(self) -> bool:
        """Return whether the field takes a line of its own."""
        return self._widget not in {"text", "number", "select", "secret"}

    @property
    def text(self) -> str:
        """The value as the input shows it; a list of plain values one per line."""
        if isinstance(self.value, (list, tuple)):
            return "\n".join(str(each) for each in self.value)
        return "" if self.value is None else str(self.value)

    @property
    def choices(self) -> tuple[tuple[Choice, str, bool], ...]:
        """Every choice with its text in the HTML and whether it is taken.

        What is written though it can't be chosen any more stays a choice, for validation to name.
        """
        taken = self.value if isinstance(self.value, (list, tuple)) else [self.value]
        texts = {str(each) for each in taken if each is not None}
        known = {str(choice.value) for choice in self.field.choices}
        gone = [] if self.field.is_multiple else sorted(texts - known - {""})
        return tuple(
            (choice, value_text(choice.value), str(choice.value) in texts)
            for choice in (*self.field.choices, *(Choice(value=each, label=each) for each in gone))
        )

    @property
    def show_if(self) -> str:
        """The conditions for JavaScript: JSON of input name → texts, empty without any."""
        conditions = _conditions(self.field, self.name)
        return json.dumps(conditions) if conditions else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Fields that share an ``x-group``; folded away until something in it is set or wrong."""

    title: str
    fields: tuple[BoundField, ...]
    is_folded: bool


@dataclass(frozen=True)
class SchemaForm:
    """A form: what to ask (``fields``), what is answered (``document``), what is wrong.

    A field called ``config/url`` finds its answer at ``document["config"]["url"]``.
    ``errors`` maps field names (``config/url``) to messages; ``secrets_set`` holds the names of
    secrets that are stored, whose inputs stay empty to keep them.
    """

    fields: tuple[FormField, ...]
    document: JsonObject = field(default_factory=dict)
    errors: Errors = field(default_factory=dict)
    secrets_set: frozenset[str] = frozenset()

    @cached_property
    def bound(self) -> tuple[BoundField, ...]:
        """Every field with its value, errors and rows."""
        placed = self._placed_errors
        return self._bind_all(self.fields, "", self.document, placed)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The fields by group, in order of appearance; the first unnamed group comes open."""
        return sections_of(self.bound)

    @cached_property
    def problems(self) -> tuple[tuple[str, str, str], ...]:
        """Everything wrong as (label, id of the input or empty, message), in order of the form."""
        found = [
            (each.field.label, each.id, message)
            for each in walk(self.bound)
            for message in each.errors
        ]
        placed = {each.name for each in walk(self.bound)}
        loose = [
            (name.replace("/", "."), "", message)
            for name, messages in self.errors.items()
            if _place(name, placed) is None
            for message in messages
        ]
        return (*found, *loose)

    @cached_property
    def _placed_errors(self) -> Mapping[str, list[str]]:
        names = {each.name for each in walk(self._unjudged)}
        placed: dict[str, list[str]] = {}
        for name, messages in self.errors.items():
            place = _place(name, names)
            if place is not None:
                placed.setdefault(place, []).extend(messages)
        return placed

    @cached_property
    def _unjudged(self) -> tuple[BoundField, ...]:
        return self._bind_all(self.fields, "", self.document, {})

    def _bind_all(
        self, fields: Sequence[FormField], prefix: str, document: JsonValue, errors: Errors
    ) -> tuple[BoundField, ...]:
        depth = 0 if prefix else None  # fields of one group share a parent, those on top need not
        siblings: dict[tuple[str, ...], dict[str, JsonValue]] = {}
        for each in fields:
            parent = tuple(each.name.split("/")[:-1])[:depth]
            values = siblings.setdefault(parent, dict(_dig(document, parent)))
            values.setdefault(_key(each), each.default)
        return tuple(
            self._bind(each, prefix, siblings[tuple(each.name.split("/")[:-1])[:depth]], errors)
            for each in fields
        )

    def _bind(
        self, described: FormField, prefix: str, siblings: JsonObject, errors: Errors
    ) -> BoundField:
        name = f"{prefix}{_key(described)}" if prefix else described.name
        value = None if described.type == "secret" else siblings[_key(described)]
        item = described.item
        has_rows = item is not None and item.type == "object-group"
        return BoundField(
            field=described,
            name=name,
            value=value,
            errors=tuple(errors.get(name, ())),
            is_set=name in self.secrets_set,
            is_visible=_is_visible(described, siblings),
            fields=self._bind_all(described.fields, f"{name}/", value, errors),
            rows=tuple(self._rows(described, name, value, errors)),
            blank=self._row(described, f"{name}/{placeholder_of(name)}", {}, {})
            if has_rows
            else None,
        )

    def _rows(
        self, described: FormField, name: str, value: JsonValue, errors: Errors
    ) -> Iterator[BoundRow]:
        if described.type == "map" and isinstance(value, Mapping):
            for index, (key, text) in enumerate(value.items()):
                yield BoundRow(name=f"{name}/{index}", key=str(key), value=value_text(text))
        elif described.item and described.item.fields and isinstance(value, (list, tuple)):
            for index, entry in enumerate(value):
                yield self._row(described, f"{name}/{index}", entry, errors)

    def _row(self, described: FormField, name: str, entry: JsonValue, errors: Errors) -> BoundRow:
        inner = described.item.fields if described.item else ()
        return BoundRow(name=name, fields=self._bind_all(inner, f"{name}/", entry, errors))


def sections_of(bound: Sequence[BoundField]) -> tuple[Section, ...]:
    """Return fields by group, in order of appearance; the unnamed group is never folded."""
    titles = list(dict.fromkeys(each.field.group for each in bound))
    groups = {title: tuple(each for each in bound if each.field.group == title) for title in titles}
    return tuple(
        Section(
            title=title,
            fields=fields,
            is_folded=bool(title) and not any(_deserves_attention(each) for each in fields),
        )
        for title, fields in groups.items()
    )


def placeholder_of(name: str) -> str:
    """Return what stands for a new row's number in a list of this name; one for each depth."""
    return next(each for each in _PLACEHOLDERS if each not in name)


def walk(fields: Iterable[BoundField]) -> Iterator[BoundField]:
    """Yield every field, those of groups and rows too."""
    for each in fields:
        yield each
        yield from walk(each.fields)
        for row in each.rows:
            yield from walk(row.fields)


def field_errors(problems: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Turn the fields of an InvalidFieldsError into input names.

    ``spec.config.url`` → ``config/url``, ``spec.secrets.auth/password`` →
    ``config/auth/password``, ``metadata.name`` → ``name``.
    """
    errors: dict[str, list[str]] = {}
    for path, messages in problems.items():
        parts = _INDEX.sub(r".\1", path).replace("/", ".").strip(".").split(".")
        if parts[0] in {"spec", "metadata"}:
            parts = parts[1:]
        if parts and parts[0] == "secrets":
            parts[0] = "config"
        errors.setdefault("/".join(parts), []).extend(messages)
    return errors


def value_text(value: JsonValue) -> str:
    """Return a scalar as HTML and JavaScript spell it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _dig(document: JsonValue, path: Iterable[str]) -> JsonObject:
    for part in path:
        document = document.get(part) if isinstance(document, Mapping) else None
    return document if isinstance(document, Mapping) else {}


def _key(described: FormField) -> str:
    return described.name.rpartition("/")[2]


def _is_visible(described: FormField, siblings: JsonObject) -> bool:
    return all(
        siblings.get(name.rpartition("/")[2]) in wanted
        for name, wanted in described.show_if.items()
    )


def _conditions(described: FormField, name: str) -> dict[str, list[str]]:
    parent, slash, _ = name.rpartition("/")
    return {
        f"{parent}{slash}{other.rpartition('/')[2]}": [value_text(value) for value in wanted]
        for other, wanted in described.show_if.items()
    }


def _deserves_attention(bound: BoundField) -> bool:
    if bound.errors or bound.is_set or (bound.field.required and bound.field.type != "checkbox"):
        return True
    if bound.fields:
        return any(_deserves_attention(each) for each in bound.fields)
    rows_wrong = any(each.errors for row in bound.rows for each in walk(row.fields))
    return rows_wrong or bound.value not in (bound.field.default, None, "", [], {})


def _place(name: str, known: Iterable[str]) -> str | None:
    names = set(known)
    while name and name not in names:
        name = name.rpartition("/")[0]
    return name or None
