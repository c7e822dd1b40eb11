"""The permission table. A permission is ``<resource>:<action>``.

The areas and the meaning of the built-in roles come from the product's design (RBAC of the
single-node edition): each area there became one or more resources here, and what a role may do in
an area it may do with each of the area's resources.
"""

from collections.abc import Mapping
from typing import Final

_CRUD: Final = ("create", "read", "update", "delete")

AREAS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "monitors": {
        "monitors": (*_CRUD, "execute"),
        "agents": _CRUD,
        "maintenancewindows": _CRUD,
        "monitortemplates": _CRUD,
        "series": ("read", "create", "delete"),
    },
    "alerts": {
        "alerts": (*_CRUD, "acknowledge", "silence"),
        "incidents": _CRUD,
        "inhibitionrules": _CRUD,
        "oncallschedules": _CRUD,
        "rulegroups": _CRUD,
        "silences": _CRUD,
        "timeintervals": _CRUD,
    },
    "notifications": {
        "notifications": (*_CRUD, "send", "test"),
        "contactpoints": (*_CRUD, "test"),
        "deliveries": ("read", "send"),
        "escalations": _CRUD,
        "notificationtemplates": _CRUD,
        "routingtrees": _CRUD,
        "watchdogs": _CRUD,
    },
    "users": {
        "users": (*_CRUD, "reset_password"),
        "apikeys": _CRUD,
        "invitations": _CRUD,
        "rolebindings": _CRUD,
        "roles": _CRUD,
        "serviceaccounts": _CRUD,
        "teams": _CRUD,
    },
    "config": {
        "config": ("read", "update", "backup", "restore"),
        "audit": ("read",),
        "datasources": (*_CRUD, "query"),
        "events": ("read", "update", "operate"),
        "folders": _CRUD,
        "orgs": ("read", "update"),
        "pipelines": (*_CRUD, "execute"),
        "plugins": ("read", "update", "operate"),
        "quotas": _CRUD,
        "tools": ("execute",),
    },
    "system": {"system": ("read", "restart", "shutdown", "logs")},
    "dashboards": {
        "dashboards": _CRUD,
        "statuspages": _CRUD,
    },
}

RESOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    resource: actions for area in AREAS.values() for resource, actions in area.items()
}
ALL_PERMISSIONS: Final = frozenset(
    f"{resource}:{action}" for resource, actions in RESOURCES.items() for action in actions
)
# These touch every org of the installation: no role of one org can hold them.
PLATFORM_PERMISSIONS: Final = frozenset(
    {
        "system:restart",
        "system:shutdown",
        "system:logs",
        "events:operate",
        "plugins:operate",
        "quotas:create",
        "quotas:update",
        "quotas:delete",
    }
)


def _in_area(area: str, *actions: str) -> tuple[str, ...]:
    return tuple(
        f"{resource}:{action}"
        for resource, offered in AREAS[area].items()
        for action in actions
        if action in offered
    )


_EVERY_MEMBER: Final = ("orgs:read", "folders:read", "plugins:read", "datasources:read")

BUILTIN_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "admin": ("*:*",),
    "operator": (
        *_in_area("monitors", "read", "create", "update"),
        *(f"{resource}:*" for resource in AREAS["alerts"]),
        *_in_area("notifications", "read", "create"),
        *_in_area("dashboards", "read"),
        *_EVERY_MEMBER,
        "datasources:query",
        "tools:execute",
    ),
    "viewer": (
        *_in_area("monitors", "read"),
        *_in_area("alerts", "read"),
        *_in_area("notifications", "read"),
        *_in_area("dashboards", "read"),
        *_EVERY_MEMBER,
    ),
}
