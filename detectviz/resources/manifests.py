"""Apply, diff and export: many resources at once, all or nothing."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml
from django.db import models, transaction

from detectviz.permissions.access import Access
from detectviz.resources.envelope import Envelope, manifest_of, parse_envelope
from detectviz.resources.errors import ForbiddenError, InvalidFieldsError
from detectviz.resources.formats import Reading, documents_native, text_read
from detectviz.resources.registry import ResourceKind, registry
from detectviz.resources.services import folder_get, resource_delete, resource_write
from detectviz.resources.targets import Target

Action = Literal["created", "updated", "unchanged", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What applying did, or would do, to one object."""

    action: Action
    api_version: str
    kind: str
    name: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the change for an answer."""
        return {
            "action": self.action,
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "before": self.before,
            "after": self.after,
        }


def manifests_apply(
    *,
    org: models.Model,
    actor: models.Model | None,
    access: Access | None,
    documents: Iterable[Any],
    is_dry_run: bool = False,
    prune: bool = False,
) -> list[Change]:
    """Apply every document in one transaction, in the order kinds depend on each other.

    ``access`` of None means the machine's own operator. A failure names the document
    (``documents[2].spec.rules[0].expr``) and leaves everything as it was.
    """
    parsed = [
        (index, *_parse(document, index, org))
        for index, document in enumerate(documents_native(documents, org=org))
    ]
    parsed.sort(key=lambda item: item[1].apply_order)
    with transaction.atomic():
        changes = [
            _apply_one(kind, envelope, index, org=org, actor=actor, access=access)
            for index, kind, envelope in parsed
        ]
        if prune:
            changes += _prune(parsed, org=org, actor=actor, access=access)
        if is_dry_run:
            transaction.set_rollback(True)
    return changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a text was read as, and what applying it did, or would do."""

    reading: Reading
    changes: Sequence[Change]


def text_apply(
    *,
    org: models.Model,
    actor: models.Model | None,
    access: Access | None,
    text: str | bytes,
    is_dry_run: bool = False,
    prune: bool = False,
    datasources: Mapping[str, str] | None = None,
) -> Applied:
    """Apply a text of any known format as ``manifests_apply`` does; refusals name lines.

    ``datasources`` are names or uids here by the uids that foreign files have.
    """
    return reading_apply(
        org=org,
        actor=actor,
        access=access,
        reading=text_read(text, target=Target(org=org, datasources=datasources or {})),
        is_dry_run=is_dry_run,
        prune=prune,
    )


def reading_apply(
    *,
    org: models.Model,
    actor: models.Model | None,
    access: Access | None,
    reading: Reading,
    is_dry_run: bool = False,
    prune: bool = False,
) -> Applied:
    """Apply what was read of a text as ``manifests_apply`` does; refusals name lines."""
    try:
        changes = manifests_apply(
            org=org,
            actor=actor,
            access=access,
            documents=reading.documents,
            is_dry_run=is_dry_run,
            prune=prune,
        )
    except InvalidFieldsError as error:
        raise reading.placed(error) from error
    return Applied(reading=reading, changes=changes)


def manifests_export(
    *, org: models.Model, access: Access | None, kinds: set[str]
) -> list[dict[str, Any]]:
    """Return what a person would write to get this org's resources back, secrets as markers."""
    documents: list[dict[str, Any]] = []
    for kind in registry:
        if not {"create", "update"} <= kind.verbs or (
            kinds and not {kind.kind, kind.plural} & kinds
        ):
            continue
        rows = kind.queryset(org).order_by("name")
        if access is not None:
            rows = access.filter(rows, f"{kind.permission}:read")
        documents += [manifest_of(kind, row) for row in rows]
    return documents


def _parse(document: Any, index: int, org: models.Model) -> tuple[ResourceKind[Any], Envelope]:
    try:
        envelope = parse_envelope(document)
    except InvalidFieldsError as error:
        raise _located(error, index) from error
    kind = registry.by_kind(envelope.api_version, envelope.kind)
    if kind is None or not {"create", "update"} & kind.verbs:
        known = ", ".join(f"{kind.api_version} {kind.kind}" for kind in registry)
        raise _located(
            InvalidFieldsError(
                {
                    "kind": [
                        f"{envelope.api_version} {envelope.kind} can't be applied. Known: {known}."
                    ]
                }
            ),
            index,
        )
    if envelope.org not in {None, str(org)}:
        raise _located(InvalidFieldsError({"metadata.org": [f"This applies to {org}."]}), index)
    return kind, envelope


def _apply_one(
    kind: ResourceKind[Any],
    envelope: Envelope,
    index: int,
    *,
    org: models.Model,
    actor: models.Model | None,
    access: Access | None,
) -> Change:
    existing = kind.queryset(org).filter(name=envelope.name).first()
    if existing is None:
        _require(access, kind, "create", folder_get(org, envelope.folder))
    else:
        _require(access, kind, "update", existing)
    before = manifest_of(kind, existing) if existing is not None else None
    try:
        result = resource_write(
            kind,
            org=org,
            actor=actor,
            name=envelope.name,
            spec=envelope.spec,
            labels=envelope.labels,
            folder=envelope.folder,
            resource_version=envelope.resource_version,
        )
    except InvalidFieldsError as error:
        raise _located(error, index) from error
    return Change(
        action=result.outcome,
        api_version=kind.api_version,
        kind=kind.kind,
        name=envelope.name,
        before=before,
        after=manifest_of(kind, result.instance),
    )


def _prune(
    parsed: list[tuple[int, ResourceKind[Any], Envelope]],
    *,
    org: models.Model,
    actor: models.Model | None,
    access: Access | None,
) -> list[Change]:
    """Delete the objects of the applied kinds that no document names."""
    kept: dict[ResourceKind[Any], set[str]] = {}
    for _, kind, envelope in parsed:
        kept.setdefault(kind, set()).add(envelope.name)
    changes: list[Change] = []
    for kind, names in reversed(kept.items()):
        for row in kind.queryset(org).exclude(name__in=names):
            _require(access, kind, "delete", row)
            before = manifest_of(kind, row)
            resource_delete(kind, org=org, actor=actor, name=row.name)
            changes.append(
                Change(
                    action="deleted",
                    api_version=kind.api_version,
                    kind=kind.kind,
                    name=row.name,
                    before=before,
                )
            )
    return changes


def _require(
    access: Access | None, kind: ResourceKind[Any], action: str, instance: models.Model | None
) -> None:
    permission = f"{kind.permission}:{action}"
    if access is not None and not access.allows(permission, instance):
        raise ForbiddenError(f"You need the permission {permission} for this.")


def _located(error: InvalidFieldsError, index: int) -> InvalidFieldsError:
    return InvalidFieldsError(
        {f"documents[{index}].{path}".rstrip("."): text for path, text in error.fields.items()}
    )


def change_diff(change: Change) -> str:
    """Return a unified diff of one change, as a person would read it."""

    def lines(document: Mapping[str, Any] | None) -> list[str]:
        return yaml.safe_dump(document, sort_keys=False).splitlines() if document else []

    label = f"{change.kind}/{change.name}"
    return "\n".join(
        difflib.unified_diff(
            lines(change.before), lines(change.after), f"a/{label}", f"b/{label}", lineterm=""
        )
    )
