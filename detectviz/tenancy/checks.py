"""Tell when the database role walks through the second wall."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import DatabaseError, connections


@checks.register(checks.Tags.database)
def check_role_is_ordinary(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Warn about a PostgreSQL role that row security does not apply to."""
    return [problem for alias in databases or () for problem in _problem_with(alias)]


def _problem_with(alias: str) -> list[checks.CheckMessage]:
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT rolname, rolsuper OR rolbypassrls FROM pg_catalog.pg_roles "
                "WHERE rolname = current_user"
            )
            name, is_exempt = cursor.fetchone()
    except DatabaseError:  # whoever needs the database says that it does not answer
        return []
    if not is_exempt:
        return []
    return [
        checks.Warning(
            f"Row security does not apply to the database role {name!r}: it is a superuser or has "
            "BYPASSRLS, so only the queries themselves keep organisations apart.",
            hint="Connect as an ordinary role that owns the database; docs/operations.md says how.",
            id="detectviz.W301",
        )
    ]
