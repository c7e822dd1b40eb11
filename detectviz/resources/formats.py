"""The formats resources are read from and written to: one registry for CLI, pages and REST.

An app registers a ``Format`` for another product's files; what is no such file is a manifest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import models

from detectviz.permissions.access import Access
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.positions import Positions
from detectviz.resources.targets import Target, TargetError
from detectviz.resources.yaml import load_documents

MANIFESTS = "manifests"
_MANIFEST = frozenset({"apiVersion", "kind", "metadata", "spec"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A field of a foreign format that is not carried over, why, and what to do about it.

    ``line`` is where the field stands in the text, counted from one; 0 when that is not known.
    """

    path: str
    why: str
    cure: str = ""
    line: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the loss for an answer; what is not known is left out."""
        found: dict[str, Any] = {"path": self.path, "why": self.why}
        return found | {name: value for name in ("cure", "line") if (value := getattr(self, name))}

    @classmethod
    def of_json(cls, given: Mapping[str, Any]) -> "Loss":
        """Read what ``as_json`` wrote."""
        return cls(**{name: given[name] for name in cls.__slots__ if name in given})

    @property
    def sentence(self) -> str:
        """The loss in one line."""
        place = f"line {self.line}: " if self.line else ""
        cure = f" {self.cure}" if self.cure else ""
        return f"{place}{self.path}: {self.why}{'.' if cure else ''}{cure}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A foreign document as envelopes, and what they leave out.

    ``origins`` has the path each envelope comes from, where the format says so; ``datasources``
    the uids of datasources as the document has them.
    """

    manifests: Sequence[dict[str, Any]]
    losses: Sequence[Loss] = ()
    origins: Sequence[str] = ()
    datasources: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An org's resources as a foreign document, and what that leaves out."""

    document: Mapping[str, Any]
    losses: Sequence[Loss] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """Files of another product.

    ``read`` gets a document and what it is read for, and returns None for what is no such
    document. ``write`` gets the org; ``permissions`` are what a caller needs there for it.
    """

    name: str
    title: str
    filename: str
    read: Callable[[Mapping[str, Any], Target], Conversion | None]
    write: Callable[[models.Model], Exported]
    permissions: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Documents as envelopes: of which formats they were, and what was left out.

    ``origins`` has the path each envelope comes from in its document, ``places`` the number of the
    document and that path, where ``positions`` finds lines. ``datasources`` are the uids that
    foreign documents name.
    """

    documents: Sequence[Any]
    formats: Sequence[str] = ()
    losses: Sequence[Loss] = ()
    origins: Sequence[str] = ()
    places: Sequence[tuple[int, str]] = ()
    datasources: Sequence[str] = ()
    positions: Positions | None = None

    def line(self, index: int) -> int:
        """Return the line an envelope comes from, 0 where that is not known."""
        if self.positions is None or index >= len(self.places):
            return 0
        return self.positions.line(*self.places[index])

    def placed(self, error: InvalidFieldsError) -> InvalidFieldsError:
        """Return a refusal of the envelopes that also says which of the text is meant."""
        return InvalidFieldsError(
            {
                path: [f"{self._place(path)}{text}" for text in texts]
                for path, texts in error.fields.items()
            }
        )

    def _place(self, path: str) -> str:
        number = path.removeprefix("documents[").partition("]")[0]
        if not number.isdecimal() or int(number) >= len(self.documents):
            return ""
        index, document = int(number), self.documents[int(number)]
        metadata = document.get("metadata") if isinstance(document, Mapping) else None
        name = metadata.get("name", "") if isinstance(metadata, Mapping) else ""
        line = self.line(index)
        told = [f"{document.get('kind', '')} {name}".strip()] if name else []
        told += [f"line {line}"] if line else []
        return f"{', '.join(told)}: " if told else ""


_formats: dict[str, Format] = {}


def register_format(one: Format) -> Format:
    """Let an app read and write the files of another product."""
    _formats[one.name] = one
    return one


def format_list() -> list[Format]:
    """Return the foreign formats, by name."""
    return [_formats[name] for name in sorted(_formats)]


def format_get(name: str) -> Format:
    """Return a format; raise InvalidFieldsError naming those there are."""
    if name not in _formats:
        known = ", ".join(sorted(_formats))
        raise InvalidFieldsError({"as": [f"There is no format {name!r}. Known: {known}."]})
    return _formats[name]


def foreign_export(*, org: models.Model, access: Access | None, format_name: str) -> Exported:
    """Return an org's resources in a foreign format; an unknown one raises InvalidFieldsError."""
    chosen = format_get(format_name)
    for permission in chosen.permissions:
        if access is not None:
            access.require(permission)
    return chosen.write(org)


def text_read(text: str | bytes, *, target: Target | None = None) -> Reading:
    """Return a text of any known format as envelopes; losses know their lines.

    Raise MalformedYamlError for what is no YAML, InvalidFieldsError with the path and line of
    what a foreign document says wrongly, and TargetError for a target that can't be.
    """
    target = target or Target()
    documents = load_documents(text)
    positions = Positions(text)
    try:
        read = _documents_read(documents, target)
    except _UnreadableError as error:
        raise InvalidFieldsError(
            {
                path: [f"Line {line}: {each}" if line else each for each in texts]
                for path, texts in error.cause.fields.items()
                for line in (positions.line(error.index, path),)
            }
        ) from error.cause
    losses = [
        replace(loss, line=positions.line(index, loss.path))
        for index, found in enumerate(read)
        for loss in found.losses
    ]
    asked = list(dict.fromkeys(uid for found in read for uid in found.datasources))
    return Reading(
        documents=[each for found in read for each in found.documents],
        formats=list(dict.fromkeys(name for found in read for name in found.formats)),
        losses=[*losses, *_unasked(target, asked)],
        datasources=asked,
        places=[
            (index, path)
            for index, found in enumerate(read)
            for path in found.origins or [""] * len(found.documents)
        ],
        positions=positions,
    )


def _unasked(target: Target, asked: Sequence[str]) -> list[Loss]:
    known = f"It asks: {', '.join(asked)}." if asked else "It names no datasource by its uid."
    return [
        Loss(path="datasource", why=f"nothing in the text asks {uid!r}", cure=known)
        for uid in target.datasources
        if uid not in asked
    ]


def documents_native(documents: Iterable[Any], *, org: models.Model | None = None) -> list[Any]:
    """Return foreign documents, and lists of manifests, as envelopes."""
    read = documents_readings(documents, target=Target(org=org))
    return [each for found in read for each in found.documents]


def documents_losses(documents: Iterable[Any]) -> list[Loss]:
    """Return what applying foreign documents leaves out."""
    return [loss for found in documents_readings(documents) for loss in found.losses]


def documents_readings(documents: Iterable[Any], *, target: Target | None = None) -> list[Reading]:
    """Return a reading of each document; raise InvalidFieldsError for what is wrong in one."""
    try:
        return _documents_read(documents, target or Target())
    except _UnreadableError as error:
        raise error.cause from error


def _documents_read(documents: Iterable[Any], target: Target) -> list[Reading]:
    found: list[Reading] = []
    for index, document in enumerate(documents):
        try:
            found.append(_read(document, target))
        except TargetError:
            raise
        except InvalidFieldsError as error:
            raise _UnreadableError(index, error) from error
    return found


class _UnreadableError(Exception):
    """A document that belongs to a format, and is wrong there."""

    def __init__(self, index: int, cause: InvalidFieldsError) -> None:
        super().__init__(cause.message)
        self.index = index
        self.cause = cause


def _read(document: Any, target: Target) -> Reading:
    if not isinstance(document, Mapping):
        return Reading(documents=[document])
    if document.get("kind") == "List":
        items = document.get("items")
        if not isinstance(items, list):
            raise InvalidFieldsError({"items": ["Must be a list of documents."]})
        origins = [f"items[{index}]" for index in range(len(items))]
        return Reading(documents=items, formats=[MANIFESTS], origins=origins)
    if isinstance(document.get("apiVersion"), str):
        return Reading(documents=[document], formats=[MANIFESTS])
    for one in format_list():
        found = one.read(document, target)
        if found is not None:
            return Reading(
                documents=found.manifests,
                formats=[one.name],
                losses=found.losses,
                origins=found.origins,
                datasources=found.datasources,
            )
    if document.keys() & _MANIFEST:
        return Reading(documents=[document])  # a manifest that lacks something: told as such
    titles = ", ".join(one.title for one in format_list())
    message = f"This is no manifest (apiVersion, kind, metadata, spec), and none of: {titles}."
    raise InvalidFieldsError({"": [message]})
