"""Refusals of plugins, told to the audit."""

from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.pluginhost.refusals import Refusal
from detectviz.tenancy.selectors import org_get


def refusal_record(*, refusal: Refusal) -> None:
    """Tell the audit what a plugin wanted and was not granted, or did to be ended.

    Called once a minute for each thing wanted.
    """
    org = org_get(name=refusal.org) if refusal.org else None
    publish(
        SecurityEventOccurred(
            action="plugin.refuse",
            org_id=None if org is None else org.pk,
            actor_id=None,
            kind="Plugin",
            name=refusal.plugin,
            details={
                "plugin": f"{refusal.kind.value}/{refusal.plugin}",
                "permission": refusal.permission,
                "wanted": refusal.wanted[:200],
            },
            is_success=False,
        )
    )
