"""Configuration in and out of an org as files: first what an import would do, then the import."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

import orjson
from django.core.files.uploadedfile import UploadedFile
from django.db import models
from django.utils.crypto import constant_time_compare, salted_hmac

from apps.datasources.selectors import datasource_list, datasource_resolve
from detectviz.permissions.access import Access
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.resources.formats import (
    MANIFESTS,
    Format,
    Loss,
    foreign_export,
    format_list,
    text_read,
)
from detectviz.resources.manifests import Applied, change_diff, manifests_export, reading_apply
from detectviz.resources.targets import Target
from detectviz.resources.yaml import MAX_BYTES, dump_documents

_SALT: Final = "operations.transfers"
_MOST_SHOWN: Final = 500
_STATES: Final = {"created": "ok", "updated": "degraded", "unchanged": "unknown"}
MANIFESTS_TITLE: Final = "Manifests of Detectviz"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One object an import makes or changes, as a page shows it."""

    action: str
    kind: str
    name: str
    diff: str

    @property
    def state(self) -> str:
        """The colour of the action."""
        return _STATES.get(self.action, "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A datasource that a file names by its uid there, and what it is taken for here.

    ``found`` is the title of the one that has this uid or name here anyway; empty for none.
    """

    uid: str
    chosen: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What an import did or would do. ``seal`` is what a confirmation has to bring back.

    ``is_stale`` says that a confirmation was for something else: nothing was applied. ``sources``
    are the datasources the text names, ``offered`` those they can be taken for: titles by name.
    """

    applied: Applied
    seal: str
    sources: Sequence[SourceRow] = ()
    offered: Mapping[str, str] = field(default_factory=dict)
    is_done: bool = False
    is_stale: bool = False

    @property
    def formats(self) -> list[str]:
        """The titles of the formats the text was recognised as."""
        titles = {one.name: one.title for one in format_list()} | {MANIFESTS: MANIFESTS_TITLE}
        return [titles[name] for name in self.applied.reading.formats]

    @property
    def losses(self) -> Sequence[Loss]:
        """What is left out."""
        return self.applied.reading.losses

    @property
    def counts(self) -> Mapping[str, int]:
        """How many objects there are of each action."""
        return dict(Counter(change.action for change in self.applied.changes))

    @property
    def does_something(self) -> bool:
        """Whether anything is made or changed."""
        return any(change.action != "unchanged" for change in self.applied.changes)

    @property
    def rows(self) -> list[ChangeRow]:
        """The first changes, those that change something before the others; secrets masked."""
        changes = sorted(self.applied.changes, key=lambda one: one.action == "unchanged")
        return [
            ChangeRow(
                action=one.action,
                kind=one.kind,
                name=one.name,
                diff=change_diff(one) if one.action != "unchanged" else "",
            )
            for one in changes[:_MOST_SHOWN]
        ]

    @property
    def more(self) -> int:
        """How many changes are not among the rows."""
        return max(len(self.applied.changes) - _MOST_SHOWN, 0)


def submitted_text(text: str, file: "UploadedFile[bytes] | None") -> str:
    """Return what somebody pasted or uploaded; raise InvalidFieldsError saying what is wrong."""
    if file is not None:
        if (file.size or 0) > MAX_BYTES:
            raise InvalidFieldsError({"file": [f"Larger than {MAX_BYTES // 1024} KiB."]})
        try:
            text = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidFieldsError({"file": ["This is no text in UTF-8."]}) from error
    if not text.strip():
        raise InvalidFieldsError({"text": ["Paste a configuration or choose a file."]})
    return text.replace("\r\n", "\n")


def text_import(
    *,
    org: models.Model,
    actor: models.Model | None,
    access: Access,
    text: str,
    seal: str = "",
    datasources: Mapping[str, str] | None = None,
) -> Import:
    """Say what a text of any known format would do; with the ``seal`` of that answer, do it.

    A seal is good for the same text, in the same org, as long as it would do the same.
    ``datasources`` are names here by the uids that stand in the text.
    """
    target = Target(org=org, datasources=datasources or {})
    reading = text_read(text, target=target)
    apply = partial(reading_apply, org=org, actor=actor, access=access, reading=reading)
    would = apply(is_dry_run=True)
    wanted = _seal(org, text, target.datasources, would)
    if not seal or not constant_time_compare(seal, wanted):
        return Import(
            applied=would,
            seal=wanted,
            is_stale=bool(seal),
            sources=[_source(uid, target) for uid in reading.datasources],
            offered=_offered(org, access) if reading.datasources else {},
        )
    return Import(applied=apply(is_dry_run=False), seal="", is_done=True)


def _source(uid: str, target: Target) -> SourceRow:
    try:
        found = datasource_resolve(org=cast("models.Model", target.org), ref=uid).title
    except NotFoundError:
        found = ""
    return SourceRow(uid=uid, chosen=target.datasources.get(uid, ""), found=found)


def _offered(org: models.Model, access: Access) -> dict[str, str]:
    rows = access.filter(datasource_list(org), "datasources:read")
    return {row.name: f"{row.title or row.name} ({row.type})" for row in rows}


def _seal(org: models.Model, text: str, chosen: Mapping[str, str], would: Applied) -> str:
    changes = [(one.action, one.kind, one.name, one.before) for one in would.changes]
    told = orjson.dumps([str(org.pk), text, sorted(chosen.items()), changes], default=str)
    return salted_hmac(_SALT, told, algorithm="sha256").hexdigest()


def formats_offered(access: Access) -> list[Format]:
    """Return the foreign formats whose parts the caller may read."""
    return [one for one in format_list() if all(map(access.allows_somewhere, one.permissions))]


def configuration_export(*, org: models.Model, access: Access, format_name: str) -> tuple[str, str]:
    """Return the name and the text of a file; comments at its top say what it leaves out.

    Secrets are in none. Raise InvalidFieldsError for an unknown format, ForbiddenError.
    """
    if format_name == MANIFESTS:
        found = manifests_export(org=org, access=access, kinds=set())
        return f"{org}-manifests.yaml", _written(found, ())
    exported = foreign_export(org=org, access=access, format_name=format_name)
    filename = next(one.filename for one in format_list() if one.name == format_name)
    return f"{org}-{filename}", _written([dict(exported.document)], exported.losses)


def _written(documents: Sequence[Any], losses: Iterable[Loss]) -> str:
    plain = orjson.loads(orjson.dumps(documents, default=str))
    told = [f"# Left out: {' '.join(loss.sentence.split())}\n" for loss in losses]
    return "".join(told) + dump_documents(plain)
