"""Addresses of the pages."""

from django.urls import path

from apps.accounts.web.views import organisation, people, permissions, signin

app_name = "accounts"
urlpatterns = [
    path("", signin.home, name="home"),
    path("login", signin.SignInView.as_view(), name="login"),
    path("logout", signin.SignOutView.as_view(), name="logout"),
    path("password", signin.ChangePasswordView.as_view(), name="password-change"),
    path("switch-org", signin.org_switch, name="org-switch"),
    path("invitations/<str:token>", signin.invitation, name="invitation-accept"),
    path("o/<str:org>/organisation", organisation.org_edit, name="org-edit"),
    path("o/<str:org>/members", people.member_list, name="member-list"),
    path("o/<str:org>/members/invite", people.invitation_send, name="invitation-send"),
    path(
        "o/<str:org>/invitations/<str:uid>/withdraw",
        people.invitation_withdraw,
        name="invitation-withdraw",
    ),
    path("o/<str:org>/members/<str:name>/suspend", people.member_suspend, name="member-suspend"),
    path("o/<str:org>/members/<str:name>/remove", people.member_remove, name="member-remove"),
    path("o/<str:org>/teams", people.team_index, name="team-list"),
    path("o/<str:org>/teams/new", people.team_edit, name="team-create"),
    path("o/<str:org>/teams/<str:name>/edit", people.team_edit, name="team-edit"),
    path("o/<str:org>/teams/<str:name>/delete", people.team_remove, name="team-delete"),
    path("o/<str:org>/roles", permissions.role_index, name="role-list"),
    path("o/<str:org>/roles/new", permissions.role_edit, name="role-create"),
    path("o/<str:org>/roles/<str:name>/edit", permissions.role_edit, name="role-edit"),
    path("o/<str:org>/roles/<str:name>/delete", permissions.role_remove, name="role-delete"),
    path("o/<str:org>/bindings", permissions.binding_index, name="binding-list"),
    path(
        "o/<str:org>/bindings/<str:name>/delete", permissions.binding_remove, name="binding-delete"
    ),
    path(
        "o/<str:org>/service-accounts", permissions.serviceaccount_index, name="serviceaccount-list"
    ),
    path(
        "o/<str:org>/service-accounts/new",
        permissions.serviceaccount_edit,
        name="serviceaccount-create",
    ),
    path(
        "o/<str:org>/service-accounts/<str:name>/edit",
        permissions.serviceaccount_edit,
        name="serviceaccount-edit",
    ),
    path(
        "o/<str:org>/service-accounts/<str:name>/delete",
        permissions.serviceaccount_remove,
        name="serviceaccount-delete",
    ),
    path("o/<str:org>/api-keys", permissions.apikey_index, name="apikey-list"),
    path("o/<str:org>/api-keys/<str:name>/revoke", permissions.apikey_revoke, name="apikey-revoke"),
    path("o/<str:org>/api-keys/<str:name>/delete", permissions.apikey_remove, name="apikey-delete"),
]
