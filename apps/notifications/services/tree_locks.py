"""Who routes alerts shares the tree; who edits it has it alone."""

from collections.abc import Collection

from django.db import connection

from apps.notifications.models import RoutingTree
from apps.notifications.services.routing import Route, build_tree


def trees_hold(org_ids: Collection[int]) -> dict[int, Route | None]:
    """Return the tree of each org, unchanged until the caller's transaction ends.

    Left out is an org whose tree somebody edits at this moment: the edit ends the groups it can
    see, and one that begins meanwhile by the old tree would keep to it. None is an org without.
    """
    rows = RoutingTree.objects.across_orgs(reason="one dispatcher serves every org").filter(
        org_id__in=org_ids
    )
    known = dict(rows.values_list("pk", "org_id"))
    edited = known.keys() - _shared(known)
    trees: dict[int, Route | None] = dict.fromkeys(org_ids)
    trees |= {row.org_id: build_tree(row.root) for row in rows.exclude(pk__in=edited)}
    for key in edited:
        del trees[known[key]]
    return trees


def _shared(keys: Collection[int]) -> set[int]:
    """Share the locks of rows that nobody changes; the ORM knows no FOR SHARE."""
    if not connection.features.has_select_for_update or not keys:
        return set(keys)  # SQLite: who writes is alone anyway
    table = RoutingTree._meta.db_table
    statement = f"SELECT id FROM {table} WHERE id = ANY(%s) ORDER BY id FOR SHARE SKIP LOCKED"  # noqa: S608 - the name of the table is ours
    with connection.cursor() as cursor:
        cursor.execute(statement, [sorted(keys)])
        return {key for (key,) in cursor.fetchall()}
