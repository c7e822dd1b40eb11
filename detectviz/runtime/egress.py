"""The egress policy of this deployment, made from settings."""

from functools import cache

from django.conf import settings

from detectviz.net.guard import EgressPolicy


@cache
def egress_policy() -> EgressPolicy:
    """Return the one policy for everything users can point somewhere."""
    return EgressPolicy(
        allow=[str(network) for network in settings.EGRESS_ALLOW],
        allow_private=settings.EGRESS_ALLOW_PRIVATE,
    )
