"""Django application of the walls between orgs."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TenancyConfig(AppConfig):
    """Owns no table: it protects those of the apps."""

    name = "detectviz.tenancy"
    label = "tenancy"

    def ready(self) -> None:
        """Register the system check, and protect new tables after each migration."""
        from detectviz.tenancy import checks  # noqa: F401, PLC0415 - registers on import

        post_migrate.connect(_protect, sender=self)


def _protect(*, using: str, **kwargs: Any) -> None:
    from detectviz.tenancy.row_security import row_security_apply  # noqa: PLC0415 - needs models

    row_security_apply(using=using)
