"""What every org starts with."""

from apps.notifications.models import RoutingTree

TREE_NAME = "default"
DEFAULT_ROOT = {
    "contact_point": "",
    "group_by": ["alertname"],
    "group_wait": "30s",
    "group_interval": "5m",
    "repeat_interval": "4h",
    "routes": [],
}


def org_prepare(*, org_id: int) -> None:
    """Make the org's routing tree; it tells nobody until a contact point is chosen."""
    RoutingTree.objects.for_org(org_id).get_or_create(
        org_id=org_id, name=TREE_NAME, defaults={"root": DEFAULT_ROOT}
    )
