"""guardian's object permission editor, for the admin classes of apps."""

from guardian.admin import (  # noqa: TID251 - this package is the one that speaks to guardian
    GuardedModelAdmin,
)

__all__ = ["GuardedModelAdmin"]
