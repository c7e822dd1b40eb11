"""Fingerprints are Alertmanager's, one by one and many at once."""

from hypothesis import given
from hypothesis import strategies as st

from apps.alerting.services.fingerprints import fingerprint, fingerprints

LABELS = st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=5)
MANY = [{"number": str(number)} for number in range(100)]  # as many as are made at once


def test_it_is_that_of_prometheus_common_library() -> None:
    assert fingerprint({}) == "cbf29ce484222325"  # the offset basis of FNV-1a
    assert fingerprint({"foo": "bar", "first-label": "first-label-value"}) == fingerprint(
        {"first-label": "first-label-value", "foo": "bar"}
    )


@given(st.lists(LABELS, max_size=6))
def test_many_at_once_are_the_same(label_sets: list[dict[str, str]]) -> None:
    for some in (label_sets, [*label_sets, *MANY]):
        assert fingerprints(some) == [fingerprint(labels) for labels in some]


def test_long_ones_among_short_ones_too() -> None:
    label_sets = [*({"a": "x" * size} for size in (0, 1, 508, 509, 510, 5000)), *MANY]
    assert fingerprints(label_sets) == [fingerprint(labels) for labels in label_sets]
