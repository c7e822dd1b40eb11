"""Writing a resource from a form: problems come back at the fields they belong to."""

from collections.abc import Mapping
from typing import Any, Literal

from detectviz.resources.errors import ConflictError, InvalidFieldsError
from detectviz.resources.registry import ResourceKind, registry
from detectviz.resources.services import resource_write
from detectviz.web.forms import Errors, field_errors
from detectviz.web.scope import OrgScope


def kind_of(api_version: str, kind: str) -> ResourceKind[Any]:
    """Return a registered kind; a missing one is a programming error."""
    found = registry.by_kind(api_version, kind)
    if found is None:
        raise LookupError(f"{api_version} {kind} is not registered.")
    return found


def form_save(
    scope: OrgScope,
    kind: ResourceKind[Any],
    *,
    mode: Literal["create", "update"],
    name: str,
    spec: Mapping[str, Any],
    labels: Mapping[str, str] | None = None,
    folder: str | None = None,
    resource_version: int | None = None,
) -> Errors:
    """Write the resource as the API would; return the errors by field, empty when it is saved.

    The caller has asked for the permission. Errors of no field stand under the empty name.
    """
    try:
        resource_write(
            kind,
            org=scope.org,
            actor=scope.user,
            name=name,
            spec=spec,
            labels=labels,
            folder=folder,
            resource_version=resource_version,
            mode=mode,
        )
    except InvalidFieldsError as error:
        return field_errors(error.fields)
    except ConflictError as error:
        return {"name" if mode == "create" else "": [error.message]}
    return {}
