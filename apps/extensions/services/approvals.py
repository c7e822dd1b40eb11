"""What administrators allow plugins to do, for the whole deployment."""

from collections.abc import Collection

from django.db import transaction

from apps.extensions.models import PluginApproval
from apps.extensions.services.switches import plugins_changed
from detectviz.clock import utc_now
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.observability.context import current_context


@transaction.atomic
def plugin_approve(
    *, plugin: str, permissions: Collection[str], version: str, actor_id: int | None = None
) -> None:
    """Allow ``plugin`` (kind/name) exactly these permissions; what was allowed before is replaced.

    A version that asks for more is not used until that is approved as well.
    """
    kind, _, name = plugin.partition("/")
    row, _ = PluginApproval.objects.get_or_create(kind=kind, name=name)
    before, row.permissions = row.permissions, sorted(permissions)
    row.version, row.approved_by, row.approved_at = version, _who(), utc_now()
    row.save()
    _told("plugin.approve", plugin, actor_id, before=before, after=row.permissions)
    plugins_changed()


@transaction.atomic
def plugin_approval_withdraw(*, plugin: str, actor_id: int | None = None) -> bool:
    """Allow ``plugin`` nothing any more; return whether it was allowed anything."""
    kind, _, name = plugin.partition("/")
    row = PluginApproval.objects.filter(kind=kind, name=name).first()
    if row is None:
        return False
    before = row.permissions
    row.delete()
    _told("plugin.withdraw", plugin, actor_id, before=before, after=[])
    plugins_changed()
    return True


def _who() -> str:
    return current_context().actor.name[:150]


def _told(
    action: str, plugin: str, actor_id: int | None, *, before: list[str], after: list[str]
) -> None:
    publish(
        SecurityEventOccurred(
            action=action,
            org_id=None,
            actor_id=actor_id,
            kind="Plugin",
            name=plugin.partition("/")[2],
            details={"plugin": plugin, "before": before, "permissions": after},
        )
    )
