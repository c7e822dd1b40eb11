import pytest

from detectviz.permissions.patterns import PermissionSet, pattern_problem, permissions_of
from detectviz.permissions.table import (
    ALL_PERMISSIONS,
    AREAS,
    BUILTIN_ROLES,
    PLATFORM_PERMISSIONS,
    RESOURCES,
)

VIEWER = permissions_of(BUILTIN_ROLES["viewer"])
OPERATOR = permissions_of(BUILTIN_ROLES["operator"])
ADMIN = permissions_of(BUILTIN_ROLES["admin"])


def test_every_resource_belongs_to_one_area() -> None:
    assert sum(len(area) for area in AREAS.values()) == len(RESOURCES)


@pytest.mark.parametrize("role", BUILTIN_ROLES)
def test_a_builtin_role_names_only_what_exists(role: str) -> None:
    assert [pattern_problem(pattern) for pattern in BUILTIN_ROLES[role]] == [None] * len(
        BUILTIN_ROLES[role]
    )


def test_the_admin_of_an_org_may_everything_but_what_touches_the_platform() -> None:
    assert ADMIN == ALL_PERMISSIONS - PLATFORM_PERMISSIONS


def test_every_role_holds_what_the_lesser_one_holds() -> None:
    assert VIEWER < OPERATOR < ADMIN


@pytest.mark.parametrize(
    ("permission", "viewer", "operator"),
    [
        ("monitors:read", True, True),
        ("monitors:create", False, True),
        ("monitors:update", False, True),
        ("monitors:delete", False, False),
        ("monitors:execute", False, False),
        ("alerts:read", True, True),
        ("alerts:acknowledge", False, True),
        ("alerts:silence", False, True),
        ("rulegroups:delete", False, True),
        ("notifications:read", True, True),
        ("notifications:create", False, True),
        ("notifications:update", False, False),
        ("notifications:send", False, False),
        ("contactpoints:read", True, True),
        ("contactpoints:create", False, True),
        ("contactpoints:delete", False, False),
        ("contactpoints:test", False, False),
        ("routingtrees:update", False, False),
        ("dashboards:read", True, True),
        ("dashboards:update", False, False),
        ("users:read", False, False),
        ("apikeys:create", False, False),
        ("rolebindings:create", False, False),
        ("config:read", False, False),
        ("audit:read", False, False),
        ("system:read", False, False),
    ],
)
def test_the_builtin_roles_mean_what_the_design_says(
    permission: str, *, viewer: bool, operator: bool
) -> None:
    assert (permission in VIEWER, permission in OPERATOR) == (viewer, operator)
    assert permission in ADMIN


@pytest.mark.parametrize(
    ("patterns", "permission", "allowed"),
    [
        (["monitors:read"], "monitors:read", True),
        (["monitors:*"], "monitors:delete", True),
        (["*:read"], "users:read", True),
        (["*:read"], "users:update", False),
        (["*:*"], "users:update", True),
        (["*:*"], "system:restart", False),
        (["system:*"], "system:restart", False),
        (["system:restart"], "system:restart", False),
        ([], "monitors:read", False),
        (["monitor:read"], "monitors:read", False),
    ],
)
def test_a_set_of_patterns_grants(patterns: list[str], permission: str, *, allowed: bool) -> None:
    assert PermissionSet(patterns).allows(permission) is allowed


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("monitors", "<resource>:<action>"),
        ("", "<resource>:<action>"),
        ("monitor:read", "no resource"),
        ("monitors:fly", "no action"),
        ("*:fly", "no action"),
        ("monitors:read:x", "no action"),
    ],
)
def test_a_wrong_pattern_is_told_what_is_wrong(pattern: str, word: str) -> None:
    assert word in str(pattern_problem(pattern))
