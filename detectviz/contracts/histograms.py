"""Native histograms as values of samples.

Source: Prometheus' ``model/histogram.FloatHistogram``. Integer histograms are kept as float ones:
every count below 2^53 is the same number.
"""

from dataclasses import dataclass
from enum import IntEnum

CUSTOM_BUCKETS_SCHEMA = -53
MIN_SCHEMA = -4
MAX_SCHEMA = 8


class CounterReset(IntEnum):
    """Whether the series restarted since the sample before; numbers as on the wire."""

    UNKNOWN = 0
    YES = 1
    NO = 2
    GAUGE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """One histogram of one moment.

    ``schema`` -4 to 8 are exponential buckets with 2^schema of them per power of two; -53 are
    buckets with the upper bounds ``custom_values`` (ascending, without +Inf). Spans are pairs
    (gap to the end of the span before, length), the first gap counts from bucket 0; ``positive``
    and ``negative`` hold one absolute count per bucket of their spans. Bucket ``i`` of an
    exponential schema is ``(2^((i-1)/2^schema), 2^(i/2^schema)]``; of custom buckets
    ``(custom_values[i-1], custom_values[i]]``, the last one up to +Inf.
    """

    count: float
    sum: float
    schema: int = 0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    positive_spans: tuple[tuple[int, int], ...] = ()
    positive: tuple[float, ...] = ()
    negative_spans: tuple[tuple[int, int], ...] = ()
    negative: tuple[float, ...] = ()
    custom_values: tuple[float, ...] = ()
    counter_reset: CounterReset = CounterReset.UNKNOWN
