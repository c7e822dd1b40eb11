"""The org a request names, and what the caller may do there."""

from typing import Any

from detectviz.permissions.access import Access
from detectviz.permissions.requests import request_access
from detectviz.resources.errors import NotFoundError
from detectviz.tenancy.selectors import org_get


def org_access(request: Any, name: str) -> tuple[Any, Access]:
    """Return the org and the caller's access; an unknown and a foreign org raise the same 404."""
    org = org_get(name=name)
    if org is None:
        raise NotFoundError
    access = request_access(request, org)
    access.require_membership()
    return org, access
