"""The org a request names, and what the caller may do there."""

from typing import Any

from detectviz.permissions.access import Access
from detectviz.permissions.requests import credential_of, request_access
from detectviz.resources.errors import NotFoundError
from detectviz.tenancy.context import scope_enter
from detectviz.tenancy.selectors import org_get


def org_access(request: Any, name: str) -> tuple[Any, Access]:
    """Return the org and the caller's access; an unknown and a foreign org raise the same 404.

    From here on the request sees and writes rows of this org only (PostgreSQL).
    """
    credential = credential_of(request)
    own = None if credential is None else credential.org
    org = own if own is not None and str(own) == name else org_get(name=name)
    if org is None:
        raise NotFoundError
    scope_enter(org)
    access = request_access(request, org)
    access.require_membership()
    return org, access
