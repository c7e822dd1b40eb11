import pytest
from django.contrib.auth.models import AnonymousUser
from guardian.models import (  # noqa: TID251 - proves what the package writes through guardian
    GroupObjectPermission,
    UserObjectPermission,
)
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import Membership, Role, Team
from apps.alerting.models import RuleGroup
from apps.orgs.models import Folder, Org
from detectviz.permissions.access import access_of, access_of_group
from detectviz.permissions.grants import grants_replace
from detectviz.resources.errors import ForbiddenError, NotFoundError
from tests.factories.accounts import grant, make_member, make_team, make_user
from tests.factories.orgs import make_folder, make_org

pytestmark = pytest.mark.django_db


def test_a_grant_on_the_org_reaches_everything_inside_and_nothing_outside() -> None:
    acme, other = make_org("acme"), make_org("other")
    user = make_member(acme, role="viewer")
    access = access_of(user, acme)
    assert access.allows("monitors:read")
    assert access.allows("folders:read", make_folder(acme))
    assert not access.allows("folders:read", make_folder(other))
    assert not access.allows("orgs:read", other)
    assert access.allows("orgs:read", acme)


def test_a_grant_on_a_folder_reaches_what_lies_in_it() -> None:
    org = make_org()
    web, db = make_folder(org, "web"), make_folder(org, "db")
    inside = RuleGroup.objects.create_for(org, name="inside", folder=web)
    outside = RuleGroup.objects.create_for(org, name="outside", folder=db)
    loose = RuleGroup.objects.create_for(org, name="loose")
    user = make_member(org)
    grant(user, web, ["rulegroups:*"])
    access = access_of(user, org)
    assert [access.allows("rulegroups:update", group) for group in (inside, outside, loose)] == [
        True,
        False,
        False,
    ]
    assert access.allows("rulegroups:create", web)
    assert not access.allows("rulegroups:create")
    assert access.allows_somewhere("rulegroups:create")
    assert list(access.filter(RuleGroup.objects.for_org(org), "rulegroups:read")) == [inside]
    assert list(access.filter(Folder.objects.for_org(org), "rulegroups:read")) == [web]


def test_a_grant_on_an_object_reaches_only_it() -> None:
    org = make_org()
    one = RuleGroup.objects.create_for(org, name="one")
    two = RuleGroup.objects.create_for(org, name="two")
    user = make_member(org)
    grant(user, one, ["rulegroups:read"])
    access = access_of(user, org)
    assert access.allows("rulegroups:read", one)
    assert not access.allows("rulegroups:read", two)
    assert not access.allows("rulegroups:update", one)
    assert list(access.filter(RuleGroup.objects.for_org(org), "rulegroups:read")) == [one]


def test_a_grant_on_one_kind_means_nothing_for_another_with_the_same_key() -> None:
    org = make_org()
    role = Role.objects.create_for(org, name="one")
    team = make_team(org, "one")
    Team.objects.for_org(org).filter(pk=team.pk).update(id=role.pk)
    user = make_member(org)
    grant(user, role, ["*:*"])
    assert not access_of(user, org).allows("teams:read", Team.objects.for_org(org).get())


def test_a_team_gives_its_members_what_it_was_granted() -> None:
    org = make_org()
    user, loner = make_member(org, "alice"), make_member(org, "bob")
    team = make_team(org, "ops", user)
    grant(team.group, org, ["monitors:*"])
    assert access_of(user, org).allows("monitors:delete")
    assert not access_of(loner, org).allows("monitors:delete")
    assert access_of_group(team.group, org).allows("monitors:delete")


def test_a_team_of_another_org_gives_nothing_here() -> None:
    acme, other = make_org("acme"), make_org("other")
    user = make_member(acme)
    foreign = make_team(other, "ops", user)
    grant(foreign.group, acme, ["*:*"])
    assert not access_of(user, acme).allows("monitors:read")


def test_who_is_no_member_gets_nothing_whatever_was_granted() -> None:
    org = make_org()
    user = make_user()
    grant(user, org, ["*:*"])
    access = access_of(user, org)
    assert not access.is_member
    assert not access.allows("orgs:read", org)
    assert not access.filter(Org.objects.all(), "orgs:read").exists()
    with pytest.raises(NotFoundError):
        access.require("orgs:read", org)


def test_a_suspended_member_an_inactive_user_and_the_anonymous_get_nothing() -> None:
    org = make_org()
    suspended = make_member(org, "suspended", "admin")
    Membership.objects.for_org(org).filter(user=suspended).update(is_active=False)
    inactive = make_member(org, "inactive", "admin")
    inactive.is_active = False
    for user in (suspended, inactive, AnonymousUser()):
        assert not access_of(user, org).allows("orgs:read")


def test_nobody_works_in_an_org_that_is_switched_off() -> None:
    org = make_org()
    user = make_member(org, role="admin")
    org.is_active = False
    assert not access_of(user, org).is_member


def test_a_member_without_the_permission_is_told_its_name() -> None:
    org = make_org()
    with pytest.raises(ForbiddenError, match="monitors:delete"):
        access_of(make_member(org, role="viewer"), org).require("monitors:delete")


def test_a_foreign_object_does_not_exist() -> None:
    acme, other = make_org("acme"), make_org("other")
    access = access_of(make_member(acme, role="admin"), acme)
    with pytest.raises(NotFoundError):
        access.require("folders:read", make_folder(other))


def test_a_platform_administrator_passes_but_not_across_the_org_asked_for() -> None:
    acme, other = make_org("acme"), make_org("other")
    access = access_of(make_user("root", is_superuser=True), acme)
    assert access.allows("system:restart")
    assert not access.allows("folders:read", make_folder(other))


def test_scopes_only_take_away() -> None:
    org = make_org()
    user = make_member(org, role="viewer")
    access = access_of(user, org, scopes=["monitors:*"])
    assert access.allows("monitors:read")
    assert not access.allows("monitors:update")
    assert not access.allows("alerts:read")
    assert not access_of(user, org, scopes=[]).allows("monitors:read")
    root = make_user("root", is_superuser=True)
    assert not access_of(root, org, scopes=["monitors:read"]).allows("users:read")


def test_covering_compares_every_permission() -> None:
    org = make_org()
    operator = access_of(make_member(org, "op", "operator"), org)
    admin = access_of(make_member(org, "adm", "admin"), org)
    assert admin.covers(["*:*"])
    assert operator.covers(["monitors:read", "alerts:*"])
    assert not operator.covers(["monitors:*"])
    assert admin.covers_access(operator)
    assert not operator.covers_access(admin)


def test_covering_looks_at_folders_too() -> None:
    org = make_org()
    folder = make_folder(org)
    keeper, other = make_member(org, "keeper"), make_member(org, "other")
    grant(keeper, folder, ["monitors:*"])
    mine, theirs = access_of(keeper, org), access_of(other, org)
    assert mine.covers(["monitors:delete"], folder)
    assert not mine.covers(["monitors:delete"])
    assert mine.covers_access(theirs)
    assert not theirs.covers_access(mine)
    root = access_of(make_user("root", is_superuser=True), org)
    assert root.covers_access(mine)
    assert not mine.covers_access(root)


def test_replacing_grants_leaves_what_came_another_way() -> None:
    org = make_org()
    user = make_member(org)
    grant(user, org, ["monitors:read", "alerts:read"])
    grants_replace(user, org, revoked=["alerts:read"], granted=["users:read"])
    found = UserObjectPermission.objects.values_list("permission__codename", flat=True)
    assert sorted(found) == ["monitors:read", "users:read"]


def test_grants_disappear_with_what_they_were_made_on() -> None:
    org = make_org()
    folder = make_folder(org)
    user = make_member(org)
    team = make_team(org, "ops")
    grant(user, folder, ["monitors:read"])
    grant(team.group, folder, ["monitors:read"])
    folder.delete()
    assert not UserObjectPermission.objects.exists()
    assert not GroupObjectPermission.objects.exists()


@pytest.mark.parametrize("count", [1, 30])
def test_an_access_costs_three_queries_whatever_was_granted(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    org = make_org()
    user = make_member(org, role="operator")
    team = make_team(org, "ops", user)
    for number in range(count):
        folder = make_folder(org, f"f{number}")
        grant(user, folder, ["monitors:*"])
        grant(team.group, folder, ["alerts:*"])
    access_of(user, org)
    with django_assert_num_queries(3):
        access = access_of(user, org)
        assert access.allows("monitors:delete", folder)
        assert access.allows_somewhere("alerts:read")
