"""PostgreSQL's row security: the wall that stands when a query forgot its org.

One policy for each org-owned table, forced on the table's owner too: a row is there, and may be
written, when the session acts for the system or for the row's org.
"""

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from detectviz.tenancy.models import OrgOwned

POLICY = "detectviz_org"
# The subselect is computed once for a statement, not for each row. What is no number is an error.
_RULE = (
    "org_id = COALESCE((SELECT NULLIF(current_setting('detectviz.org', true), '')::bigint), org_id)"
)
_CHANGES = (
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "DROP POLICY IF EXISTS {policy} ON {table}",
    "CREATE POLICY {policy} ON {table} USING ({rule}) WITH CHECK ({rule})",
    # PostgreSQL rewrites the rule; the comment keeps our words to compare with.
    "COMMENT ON POLICY {policy} ON {table} IS {words}",
)
_UNPROTECTED = """
    SELECT tables.relname
    FROM pg_catalog.pg_class AS tables
    LEFT JOIN pg_catalog.pg_policy AS policies
        ON policies.polrelid = tables.oid AND policies.polname = %(policy)s
    WHERE tables.relname = ANY(%(names)s)
        AND tables.relkind IN ('r', 'p')
        AND pg_catalog.pg_table_is_visible(tables.oid)
        AND NOT (
            tables.relrowsecurity
            AND tables.relforcerowsecurity
            AND COALESCE(obj_description(policies.oid, 'pg_policy'), '') = %(rule)s
        )
    ORDER BY tables.relname
"""


def protected_models() -> list[type[OrgOwned]]:
    """Return the models whose own table carries an org."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, OrgOwned)
        and any(field.name == "org" for field in model._meta.local_fields)
    ]


def row_security_apply(*, using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Protect the org-owned tables that are not yet; return their names. PostgreSQL only.

    One look into the catalogue when nothing is to be done.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        return []
    tables = _unprotected(connection)
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for table in tables:
            for change in _CHANGES:
                cursor.execute(_statement(connection, change, table))
    return tables


def _unprotected(connection: BaseDatabaseWrapper) -> list[str]:
    names = [model._meta.db_table for model in protected_models()]
    with connection.cursor() as cursor:
        cursor.execute(_UNPROTECTED, {"policy": POLICY, "names": names, "rule": _RULE})
        return [name for (name,) in cursor.fetchall()]


def _statement(connection: BaseDatabaseWrapper, change: str, table: str) -> str:
    words = "'" + _RULE.replace("'", "''") + "'"
    return change.format(
        table=connection.ops.quote_name(table), policy=POLICY, rule=_RULE, words=words
    )
