"""The envelope every resource is spoken of in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.models import NAME_MESSAGE, ResourceModel, is_name
from detectviz.resources.registry import ResourceKind

_METADATA = {"name", "org", "folder", "labels"}
_SERVER_METADATA = {"uid", "resource_version", "generation", "created_at", "updated_at"}
_TOP = {"apiVersion", "kind", "metadata", "spec", "status"}
MAX_LABELS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A parsed manifest whose outer shape is right; the spec is not validated yet."""

    api_version: str
    kind: str
    name: str
    org: str | None
    folder: str | None
    labels: Mapping[str, str] | None
    resource_version: int | None
    spec: Any


def envelope_of(kind: ResourceKind[Any], instance: ResourceModel) -> dict[str, Any]:
    """Return the full envelope of a row (``queryset`` of the kind must have loaded it)."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": metadata_of(instance),
        "spec": kind.to_spec(instance),
        "status": kind.to_status(instance),
        **kind.to_top(instance),
    }


def metadata_of(instance: ResourceModel) -> dict[str, Any]:
    """Return what stands beside the spec and the status of a row."""
    metadata: dict[str, Any] = {"name": instance.name, "org": str(instance.org)}
    if instance.folder is not None:
        metadata["folder"] = str(instance.folder)
    return metadata | {
        "labels": instance.labels,
        "uid": instance.uid,
        "resource_version": instance.resource_version,
        "generation": instance.generation,
        "created_at": _timestamp(instance.created_at),
        "updated_at": _timestamp(instance.updated_at),
    }


def manifest_of(kind: ResourceKind[Any], instance: ResourceModel) -> dict[str, Any]:
    """Return the envelope without what the server owns: what a person would write."""
    envelope = envelope_of(kind, instance)
    metadata = {key: value for key, value in envelope["metadata"].items() if key in _METADATA}
    del metadata["org"]
    if not metadata["labels"]:
        del metadata["labels"]
    return {
        **{key: envelope[key] for key in ("apiVersion", "kind")},
        "metadata": metadata,
        "spec": envelope["spec"],
    }


def parse_envelope(
    data: object, *, kind: ResourceKind[Any] | None = None, name: str | None = None
) -> Envelope:
    """Check the outer shape. ``kind`` and ``name`` from a URL fill in or contradict the body."""
    if not isinstance(data, Mapping):
        raise InvalidFieldsError({"": ["The document must be an object with metadata and spec."]})
    errors: dict[str, list[str]] = {
        str(key): ["Unknown field. Known fields: apiVersion, kind, metadata, spec."]
        for key in data
        if key not in _TOP
    }
    metadata = data.get("metadata", {})
    if not isinstance(metadata, Mapping):
        raise InvalidFieldsError({"metadata": ["Must be an object."]})
    api_version = data.get("apiVersion", kind.api_version if kind else None)
    kind_name = data.get("kind", kind.kind if kind else None)
    for field, value, wanted in (
        ("apiVersion", api_version, kind and kind.api_version),
        ("kind", kind_name, kind and kind.kind),
    ):
        if not isinstance(value, str):
            errors[field] = ["Required: such as monitoring/v1 and Monitor."]
        elif wanted and value != wanted:
            errors[field] = [f"Must be {wanted} here."]
    errors |= _metadata_errors(metadata, name)
    if "spec" not in data:
        errors["spec"] = ["Required."]
    if errors:
        raise InvalidFieldsError(errors)
    return Envelope(
        api_version=str(api_version),
        kind=str(kind_name),
        name=str(metadata.get("name", name)),
        org=metadata.get("org"),
        folder=metadata.get("folder"),
        labels=metadata.get("labels"),
        resource_version=metadata.get("resource_version"),
        spec=data["spec"],
    )


def _metadata_errors(metadata: Mapping[Any, Any], name: str | None) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for key in metadata:
        if key not in _METADATA | _SERVER_METADATA:
            errors[f"metadata.{key}"] = ["Unknown field. Known fields: name, org, folder, labels."]
    given = metadata.get("name", name)
    if not is_name(given):
        errors["metadata.name"] = [NAME_MESSAGE]
    elif name is not None and given != name:
        errors["metadata.name"] = [f"Must be {name}, as in the URL."]
    for key in ("org", "folder"):
        if metadata.get(key) not in (None, "") and not is_name(metadata[key]):
            errors[f"metadata.{key}"] = ["Must be a name."]
    version = metadata.get("resource_version")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        errors["metadata.resource_version"] = ["Must be a whole number."]
    return errors | label_errors(metadata.get("labels"))


def label_errors(labels: object) -> dict[str, list[str]]:
    """Return what is wrong with a label map, by path."""
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        return {"metadata.labels": ["Must be an object of strings."]}
    if len(labels) > MAX_LABELS:
        return {"metadata.labels": [f"At most {MAX_LABELS} labels."]}
    errors: dict[str, list[str]] = {}
    for key, value in labels.items():
        if not isinstance(key, str) or not key or len(key) > 128 or "\x00" in key:  # noqa: PLR2004 - the size of a label name
            errors["metadata.labels"] = ["Label names are strings of 1 to 128 characters."]
        elif not isinstance(value, str) or len(value) > 2048 or "\x00" in value:  # noqa: PLR2004 - the size of a label value
            errors[f"metadata.labels.{key}"] = ["Must be a string of at most 2048 characters."]
    return errors


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
