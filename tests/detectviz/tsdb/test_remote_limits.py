from collections.abc import Hashable, Mapping

import numpy as np
import pytest

from detectviz.tsdb.interface import RateLimitedError, SampleColumns
from detectviz.tsdb.policy import TenantPolicy
from detectviz.tsdb.remote_limits import Admitted, RemoteLimits

HOUR_S = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def labels_of(token: Hashable) -> Mapping[str, str]:
    if token == "broken":
        raise ValueError("not labels")
    return {"__name__": "m", "n": str(token)}


def admit(limits: RemoteLimits, *tokens: str, tenant: str = "acme") -> Admitted:
    size = len(tokens)
    return limits.admit(
        tenant,
        SampleColumns(
            series=tokens,
            labels_of=labels_of,
            owners=np.arange(size),
            timestamps_ms=np.arange(size),
            values=np.arange(size, dtype=np.float64),
        ),
    )


def test_what_is_within_the_limits_passes_as_it_is() -> None:
    limits = RemoteLimits(lambda _: TenantPolicy())
    admitted = admit(limits, "a", "b")
    assert admitted.places is None
    assert (admitted.refused, admitted.limited) == ({}, {})
    assert admitted.columns.series == ("a", "b")


def test_the_others_are_left_out_with_their_places() -> None:
    limits = RemoteLimits(lambda _: TenantPolicy(max_series=2, max_label_value_bytes=6))
    admitted = admit(limits, "a", "broken", "b", "much too long", "c")
    assert admitted.refused == {
        1: "not labels",
        3: "value of label 'n' is longer than 6 bytes",
    }
    assert admitted.limited == {4: "the limit of 2 series is reached"}
    assert admitted.places is not None
    assert admitted.places.tolist() == [0, 2]
    assert list(admitted.columns.series) == ["a", "b"]
    assert admitted.columns.values.tolist() == [0, 2]
    assert admit(limits, "c", tenant="other").limited == {}


def test_series_that_fall_silent_stop_counting_after_hours() -> None:
    clock = Clock()
    limits = RemoteLimits(lambda _: TenantPolicy(max_series=2), clock=clock)
    admit(limits, "a", "b")
    for _ in range(3):
        clock.now_s += 2 * HOUR_S
        assert admit(limits, "b").limited == {}
    assert admit(limits, "c").limited == {}
    assert list(admit(limits, "a").limited) == [0]


def test_the_rate_is_held() -> None:
    clock = Clock()
    policy = TenantPolicy(samples_per_s=2, samples_burst=3)
    limits = RemoteLimits(lambda _: policy, clock=clock)
    admit(limits, "a", "b", "c")
    with pytest.raises(RateLimitedError) as caught:
        admit(limits, "a")
    assert caught.value.retry_after_s == pytest.approx(0.5)
    clock.now_s += 0.5
    assert admit(limits, "a").places is None
