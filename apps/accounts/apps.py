"""People, programs and what they may do."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, teams, roles, bindings, service accounts, API keys and invitations."""

    name = "apps.accounts"
