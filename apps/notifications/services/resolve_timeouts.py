"""How long alerts whose sender names no end count as firing: Alertmanager's ``resolve_timeout``."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from apps.notifications.models import RoutingTree
from detectviz.contracts.durations import parse_duration_s

DEFAULT_RESOLVE_TIMEOUT = "5m"


def resolve_timeout_text(root: Mapping[str, Any]) -> str:
    """Return what a routing tree says of it, or the default."""
    return root.get("resolve_timeout") or DEFAULT_RESOLVE_TIMEOUT


def resolve_timeout(org_id: int) -> timedelta:
    """Return an org's."""
    root = RoutingTree.objects.for_org(org_id).values_list("root", flat=True).first()
    return timedelta(seconds=parse_duration_s(resolve_timeout_text(root or {})))
