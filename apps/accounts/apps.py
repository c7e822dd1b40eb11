"""People, programs and what they may do."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, teams, roles, bindings, service accounts, API keys and invitations."""

    name = "apps.accounts"

    def ready(self) -> None:
        """Listen to what happens."""
        from apps.accounts import receivers  # noqa: F401, PLC0415 - registers on import
