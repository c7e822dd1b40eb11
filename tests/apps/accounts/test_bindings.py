import pytest

from apps.accounts.errors import BuiltinRoleError, EscalationError, LastAdminError
from apps.accounts.models import Membership, Role, RoleBinding, Team, User
from apps.accounts.selectors import membership_get, role_get
from apps.accounts.services.bindings import (
    BindingChange,
    binding_create,
    binding_delete,
    binding_update,
)
from apps.accounts.services.roles import role_create, role_delete, role_update
from apps.accounts.services.serviceaccounts import serviceaccount_create, serviceaccount_delete
from apps.accounts.services.teams import team_create, team_delete, team_update
from apps.accounts.services.users import membership_remove, membership_update
from apps.alerting.models import RuleGroup
from apps.orgs.models import Org
from detectviz.permissions.access import access_of
from detectviz.resources.errors import InvalidFieldsError
from tests.factories.accounts import (
    bind,
    make_bound_member,
    make_full_org,
    make_user,
)
from tests.factories.orgs import make_folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_full_org()


def admin_of(org: Org) -> User:
    return User.objects.get(username=f"{org.name}-admin")


def role_of(org: Org, name: str) -> Role:
    found = role_get(org, name)
    assert found is not None
    return found


def membership_of(org: Org, user: User) -> Membership:
    found = membership_get(org, user.username)
    assert found is not None
    return found


def binding_of(org: Org, user: User) -> RoleBinding:
    binding: RoleBinding = RoleBinding.objects.for_org(org).get(user=user)
    return binding


def test_a_new_org_has_the_builtin_roles(org: Org) -> None:
    roles = Role.objects.for_org(org).filter(is_builtin=True)
    assert sorted(roles.values_list("name", flat=True)) == ["admin", "operator", "viewer"]


def test_a_binding_in_a_folder_gives_the_role_only_there(org: Org) -> None:
    folder = make_folder(org)
    user = make_bound_member(org, "bob")
    bind("operator", user, org, folder)
    access = access_of(user, org)
    assert access.allows("monitors:create", folder)
    assert not access.allows("monitors:create")


def test_a_binding_on_an_object_gives_the_role_only_on_it(org: Org) -> None:
    group = RuleGroup.objects.create_for(org, name="web")
    other = RuleGroup.objects.create_for(org, name="db")
    user = make_bound_member(org, "bob")
    bind("operator", user, org, group)
    access = access_of(user, org)
    assert access.allows("rulegroups:update", group)
    assert not access.allows("rulegroups:update", other)


def test_deleting_an_object_deletes_its_bindings(org: Org) -> None:
    group = RuleGroup.objects.create_for(org, name="web")
    folder = make_folder(org)
    user = make_bound_member(org, "bob")
    bind("operator", user, org, group)
    bind("operator", user, org, folder)
    group.delete()
    folder.delete()
    assert not RoleBinding.objects.for_org(org).filter(user=user).exists()


def test_two_bindings_that_overlap_survive_each_other(org: Org) -> None:
    user = make_bound_member(org, "bob", "viewer")
    bind("operator", user, org)
    binding = RoleBinding.objects.for_org(org).get(user=user, role__name="operator")
    binding_delete(binding=binding, actor=admin_of(org))
    access = access_of(user, org)
    assert access.allows("monitors:read")
    assert not access.allows("monitors:create")


def test_changing_a_binding_moves_the_grants(org: Org) -> None:
    user, other = make_bound_member(org, "bob", "operator"), make_bound_member(org, "eve")
    change = BindingChange(role=role_of(org, "viewer"), subject=other)
    binding_update(binding=binding_of(org, user), change=change, actor=admin_of(org))
    assert not access_of(user, org).allows("monitors:read")
    assert access_of(other, org).allows("monitors:read")
    assert not access_of(other, org).allows("monitors:create")


def test_changing_a_role_changes_everybody_who_has_it(org: Org) -> None:
    admin, user = admin_of(org), make_bound_member(org, "bob")
    role = role_create(org=org, name="keeper", permissions=["monitors:*"], actor=admin)
    bind("keeper", user, org)
    assert access_of(user, org).allows("monitors:delete")
    role_update(role=role, permissions=["alerts:read"], title="", description="", actor=admin)
    access = access_of(user, org)
    assert access.allows("alerts:read")
    assert not access.allows("monitors:delete")


def test_an_operator_can_not_hand_out_the_admin_role(org: Org) -> None:
    operator = make_bound_member(org, "op", "operator")
    for role in ("admin", "operator"):
        change = BindingChange(role=role_of(org, role), subject=operator)
        if role == "admin":
            with pytest.raises(EscalationError):
                binding_create(org=org, name="x", change=change, actor=operator)
        else:
            binding_create(org=org, name="y", change=change, actor=operator)


def test_a_keeper_of_a_folder_hands_out_roles_only_there(org: Org) -> None:
    folder = make_folder(org)
    keeper, friend = make_bound_member(org, "keeper"), make_bound_member(org, "friend")
    bind("admin", keeper, org, folder)
    inside = BindingChange(role=role_of(org, "admin"), subject=friend, scope=folder)
    binding_create(org=org, name="inside", change=inside, actor=keeper)
    outside = BindingChange(role=role_of(org, "viewer"), subject=friend)
    with pytest.raises(EscalationError):
        binding_create(org=org, name="outside", change=outside, actor=keeper)


def test_nobody_makes_or_touches_a_role_above_their_own(org: Org) -> None:
    operator = make_bound_member(org, "op", "operator")
    with pytest.raises(EscalationError):
        role_create(org=org, name="x", permissions=["users:read"], actor=operator)
    mighty = role_create(org=org, name="mighty", permissions=["*:*"], actor=None)
    with pytest.raises(EscalationError):
        role_update(
            role=mighty, permissions=["monitors:read"], title="", description="", actor=operator
        )
    with pytest.raises(EscalationError):
        role_delete(role=mighty, actor=operator)


def test_builtin_roles_stay_as_they_are(org: Org) -> None:
    admin = admin_of(org)
    with pytest.raises(BuiltinRoleError):
        role_update(
            role=role_of(org, "viewer"), permissions=[], title="", description="", actor=admin
        )
    with pytest.raises(BuiltinRoleError):
        role_delete(role=role_of(org, "viewer"), actor=admin)


def test_a_role_with_wrong_patterns_names_each(org: Org) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        role_create(org=org, name="x", permissions=["monitors:read", "moon:read"], actor=None)
    assert list(caught.value.fields) == ["spec.permissions[1]"]


def test_the_last_administrator_stays(org: Org) -> None:
    admin = admin_of(org)
    with pytest.raises(LastAdminError):
        binding_delete(binding=binding_of(org, admin), actor=admin)
    with pytest.raises(LastAdminError):
        membership_remove(membership=membership_of(org, admin), actor=admin)
    with pytest.raises(LastAdminError):
        membership_update(membership=membership_of(org, admin), is_active=False, actor=admin)
    assert access_of(admin, org).allows("users:update")
    make_bound_member(org, "second", "admin")
    membership_remove(membership=membership_of(org, admin), actor=admin)
    assert not access_of(admin, org).is_member


def test_an_administrator_by_team_counts(org: Org) -> None:
    admin, second = admin_of(org), make_bound_member(org, "second")
    team = team_create(org=org, name="admins", members=["second"], actor=admin)
    bind("admin", team, org)
    binding_delete(binding=binding_of(org, admin), actor=admin)
    assert access_of(second, org).allows("users:update")
    with pytest.raises(LastAdminError):
        team_update(team=team, title="", members=[], actor=second)
    with pytest.raises(LastAdminError):
        team_delete(team=team, actor=second)


def test_joining_a_mighty_team_needs_its_might(org: Org) -> None:
    operator = make_bound_member(org, "op", "operator")
    team = team_create(org=org, name="admins", actor=None)
    bind("admin", team, org)
    with pytest.raises(EscalationError):
        team_update(team=team, title="", members=["op"], actor=operator)
    with pytest.raises(EscalationError):
        team_delete(team=team, actor=operator)


def test_a_team_takes_only_members_of_its_own_org(org: Org) -> None:
    other = make_full_org("other")
    make_bound_member(other, "stranger")
    for name in ("stranger", "nobody"):
        with pytest.raises(InvalidFieldsError) as caught:
            team_create(org=org, name="t", members=[name], actor=None)
        assert caught.value.message.replace(name, "") == (
            "spec.members[0]: There is no user '' in this organisation."
        )
    assert not Team.objects.for_org(org).exists()


def test_leaving_an_org_leaves_nothing_behind(org: Org) -> None:
    admin, user = admin_of(org), make_bound_member(org, "bob", "operator")
    team = team_create(org=org, name="ops", members=["bob"], actor=admin)
    membership_remove(membership=membership_of(org, user), actor=admin)
    assert not RoleBinding.objects.for_org(org).filter(user=user).exists()
    assert not team.members.exists()
    make_bound_member(org, "bob")
    assert not access_of(user, org).allows("monitors:read")


def test_nobody_removes_a_mightier_member(org: Org) -> None:
    operator = make_bound_member(org, "op", "operator")
    make_user("root", is_superuser=True)
    for mighty in (admin_of(org), make_bound_member(org, "root")):
        with pytest.raises(EscalationError):
            membership_remove(membership=membership_of(org, mighty), actor=operator)


def test_a_service_account_goes_with_its_user_and_grants(org: Org) -> None:
    account = serviceaccount_create(org=org, name="bot")
    change = BindingChange(role=role_of(org, "admin"), subject=account)
    binding_create(org=org, name="bot-admin", change=change, actor=None)
    assert access_of(account.user, org).allows("users:update")
    with pytest.raises(EscalationError):
        serviceaccount_delete(account=account, actor=make_bound_member(org, "op", "operator"))
    serviceaccount_delete(account=account, actor=admin_of(org))
    assert not User.objects.filter(kind="service").exists()
    assert not RoleBinding.objects.for_org(org).filter(name="bot-admin").exists()


def test_an_org_goes_with_everything_in_it(org: Org) -> None:
    make_folder(org)
    team = team_create(org=org, name="ops", actor=None)
    bind("viewer", team, org)
    serviceaccount_create(org=org, name="bot")
    org.delete()
    assert not Team.objects.across_orgs(reason="test").exists()
    assert not User.objects.filter(kind="service").exists()
