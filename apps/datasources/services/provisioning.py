"""Datasources from files: what they say is there afterwards, all of it or nothing.

A folder holds our manifests (``datasources/v1 Datasource``) and Grafana's provisioning files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.db import models, transaction

from apps.datasources.models import Datasource
from apps.datasources.services.datasources import provisioning_scope
from apps.datasources.services.grafana_files import fitted, grafana_file, is_grafana_file
from apps.extensions.services import manifest_require
from apps.orgs.selectors import org_get
from detectviz.contracts.types import PluginKind
from detectviz.resources.envelope import parse_envelope
from detectviz.resources.errors import DomainError, InvalidFieldsError
from detectviz.resources.registry import ResourceKind, registry
from detectviz.resources.services import resource_delete, resource_write
from detectviz.resources.yaml import load_documents

MAIN_ORG: Final = "default"
FOLDER: Final = "datasources"
API_VERSION: Final = "datasources/v1"


class ProvisioningError(DomainError):
    """A file can't be provisioned; the message names the file and the field."""

    code = "provisioning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One datasource that a file asks for."""

    source: str
    org: str
    name: str
    spec: Mapping[str, Any]
    labels: Mapping[str, str] | None = None
    folder: str | None = None
    is_prunable: bool = False


@dataclass(slots=True, kw_only=True)
class ProvisioningReport:
    """What became of the files: names as ``org/name``, and what of Grafana's was left out."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The report in one line."""
        return (
            f"Datasources from files: {len(self.created)} created, {len(self.updated)} updated, "
            f"{len(self.unchanged)} unchanged, {len(self.deleted)} deleted."
        )


def datasources_provision(
    *, folder: Path, is_pruning: bool = False, is_dry_run: bool = False
) -> ProvisioningReport:
    """Bring the datasources to what the files of ``folder`` say, in one transaction.

    Those from files are read-only unless a file says otherwise. What a file with ``prune: true``
    once brought and no file names any more is deleted; with ``is_pruning`` whatever came from a
    file. Raise ProvisioningError, with nothing written.
    """
    report = ProvisioningReport()
    wanted, deletions = _read(folder, report)
    named = {(one.org, one.name) for one in wanted}
    _check_defaults(wanted)
    with transaction.atomic():
        for source, name, org in deletions:
            if (org, name) not in named:
                _delete(source, org, name, report)
        for one in wanted:
            _write(one, report)
        _prune(named, report, everything=is_pruning)
        if is_dry_run:
            transaction.set_rollback(True)
    return report


def _read(
    folder: Path, report: ProvisioningReport
) -> tuple[list[Wanted], list[tuple[str, str, str]]]:
    wanted: list[Wanted] = []
    deletions: list[tuple[str, str, str]] = []
    if not folder.is_dir():
        raise ProvisioningError(f"There is no folder {folder} to provision datasources from.")
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            for document in load_documents(path.read_text(encoding="utf-8")):
                _read_document(document, path.name, wanted, deletions, report)
        except (OSError, UnicodeDecodeError) as error:
            raise ProvisioningError(f"{path.name}: it can't be read: {error}") from error
        except DomainError as error:
            raise ProvisioningError(f"{path.name}: {error.message}") from error
    return wanted, deletions


def _read_document(
    document: Any,
    source: str,
    wanted: list[Wanted],
    deletions: list[tuple[str, str, str]],
    report: ProvisioningReport,
) -> None:
    if not is_grafana_file(document):
        wanted.append(_from_manifest(document, source))
        return
    read = grafana_file(document)
    deletions += [(source, name, org or MAIN_ORG) for name, org in read.deletions]
    for index, entry in enumerate(read.entries):
        manifest = manifest_require(
            kind=PluginKind.DATASOURCE,
            name=str(entry.spec["type"]),
            path=f"datasources[{index}].type",
        )
        spec, lost = fitted(manifest.config_schema, entry.spec)
        report.warnings += [
            f"{source}: {entry.name}: {name} has no meaning for {manifest.title} and is left out."
            for name in lost
        ]
        wanted.append(
            Wanted(
                source=source,
                org=entry.org or MAIN_ORG,
                name=entry.name,
                spec=spec,
                is_prunable=entry.is_prunable,
            )
        )


def _from_manifest(document: Any, source: str) -> Wanted:
    envelope = parse_envelope(document)
    if (envelope.api_version, envelope.kind) != (API_VERSION, "Datasource"):
        raise InvalidFieldsError(
            {"kind": [f"Only {API_VERSION} Datasource and Grafana's files belong here."]}
        )
    if not isinstance(envelope.spec, Mapping):
        raise InvalidFieldsError({"spec": ["Must be an object."]})
    return Wanted(
        source=source,
        org=envelope.org or MAIN_ORG,
        name=envelope.name,
        spec={"read_only": True, **envelope.spec},
        labels=envelope.labels,
        folder=envelope.folder,
    )


def _check_defaults(wanted: Iterable[Wanted]) -> None:
    chosen: dict[str, Wanted] = {}
    for one in wanted:
        if one.spec.get("is_default") is True:
            first = chosen.setdefault(one.org, one)
            if first is not one:
                raise ProvisioningError(
                    f"{one.source}: {one.name} and {first.name} ({first.source}) both want to be "
                    f"the default of {one.org}; there can be one."
                )


def _write(one: Wanted, report: ProvisioningReport) -> None:
    try:
        org = _org(one.org)
        with provisioning_scope(one.source):
            result = resource_write(
                _kind(),
                org=org,
                actor=None,
                name=one.name,
                spec=one.spec,
                labels=one.labels,
                folder=one.folder,
            )
    except DomainError as error:
        raise ProvisioningError(f"{one.source}: {one.name}: {error.message}") from error
    if result.instance.is_prunable != one.is_prunable:
        rows = Datasource.objects.for_org(org)
        rows.filter(pk=result.instance.pk).update(is_prunable=one.is_prunable)
    getattr(report, result.outcome).append(f"{one.org}/{one.name}")


def _delete(source: str, org_name: str, name: str, report: ProvisioningReport) -> None:
    org = org_get(org_name)
    if org is None or not Datasource.objects.for_org(org).filter(name=name).exists():
        return
    with provisioning_scope(source):
        resource_delete(_kind(), org=org, actor=None, name=name)
    report.deleted.append(f"{org_name}/{name}")


def _prune(named: set[tuple[str, str]], report: ProvisioningReport, *, everything: bool) -> None:
    rows = Datasource.objects.across_orgs(reason="files provision any org").select_related("org")
    rows = rows.exclude(provisioned_from="") if everything else rows.filter(is_prunable=True)
    for row in rows.order_by("org__name", "name"):
        if (row.org.name, row.name) not in named:
            _delete(row.provisioned_from, row.org.name, row.name, report)


def _org(name: str) -> models.Model:
    org = org_get(name)
    if org is None:
        raise InvalidFieldsError({"org": [f"There is no organisation {name!r}."]})
    return org


def _kind() -> ResourceKind[Any]:
    kind = registry.by_kind(API_VERSION, "Datasource")
    if kind is None:
        raise LookupError("The kind Datasource is registered when the apps are ready.")
    return kind
