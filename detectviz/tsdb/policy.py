"""What one tenant may store, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicy:
    """Limits of one tenant; None means unlimited (of a retention: keep for good).

    ``max_series`` counts active series, those with a sample of the last two hours or made in them
    (``activity``): a new one beyond it is refused, known ones go on and come back as they like.
    Silent ones stay known as long as a sample or rollup of theirs is kept; ten times ``max_series``
    are known at most. ``samples_per_s`` is the mean rate; ``samples_burst`` as many
    may come at once after a pause (None: ten seconds' worth). A series may have ``max_labels``
    labels, their names and values that many bytes of UTF-8; no policy exceeds what the store can
    hold (64 labels, 128 and 2,048 bytes). A sample may be ``out_of_order_s`` older than the newest
    of its series (0: it must be newer).

    ``retention_s`` is how long raw samples are kept; ``rollup_5m_retention_s`` and
    ``rollup_1h_retention_s`` how long the averages made of them are (0: none are made).
    """

    max_series: int | None = 1_000_000
    samples_per_s: float | None = None
    samples_burst: float | None = None
    max_labels: int | None = 64
    max_label_name_bytes: int | None = 128
    max_label_value_bytes: int | None = 2048
    out_of_order_s: float = 3600.0
    retention_s: float | None = 15 * DAY_S
    rollup_5m_retention_s: float | None = 90 * DAY_S
    rollup_1h_retention_s: float | None = 730 * DAY_S


PolicyOf: TypeAlias = Callable[[str], TenantPolicy]  # by tenant; asked often, so it must be cheap

DEFAULT_POLICY = TenantPolicy()


def default_policy(tenant: str) -> TenantPolicy:
    """Give every tenant the same limits."""
    return DEFAULT_POLICY
